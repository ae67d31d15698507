import type { JsonObject } from '../claims/claims.ts';

/** `attestation`: a token minted or refused. `release`: a resource released or denied. `admin`: a change by an administrator. */
export type DecisionKind = 'attestation' | 'release' | 'admin';

/** One row of the record: who, what, which policy version, which evidence. Holds no secret, token or session id. */
export interface Decision {
  /** UUID version 7; also the `jti` of a minted token. */
  readonly id: string;
  readonly at: Date;
  readonly kind: DecisionKind;
  readonly outcome: 'granted' | 'denied' | 'failed';
  /** The error's stable code when the outcome is not `granted`. */
  readonly code: string | undefined;
  /** Attestation: the TEEs, e.g. `snp`. Release: the plugin and path. Admin: the change, e.g. `policy set attestation/default_cpu`. */
  readonly subject: string;
  /** Name and SHA-384 (hex) of the policy version that judged; undefined when none did. */
  readonly policy: { readonly name: string; readonly sha384: string } | undefined;
  /** SHA-256 (hex) of the evidence as it came. */
  readonly evidenceSha256: string | undefined;
  /** What explains it: trust vectors, reference values asked for, the token's id, the administrator. */
  readonly detail: JsonObject;
}

/** Writes decisions; resolves once the row is durable. Rows of concurrent callers share a transaction. */
export interface DecisionLog {
  newId(at: Date): string;
  record(decision: Decision): Promise<void>;
}
