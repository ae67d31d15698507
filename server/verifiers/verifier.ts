import type { Claims } from '../claims/claims.ts';
import type { TeeClass } from '../evidence/tee.ts';

/** What the evidence has to carry, as its caller asked for it. Absent means: the caller did not ask. */
export interface ExpectedBinding {
  /** Bytes that the guest had to put into its report data: a digest of the runtime data, or raw bytes. */
  readonly reportData: Uint8Array | undefined;
  /** Digest of the init data that the host had to launch the guest with. */
  readonly initDataDigest: Uint8Array | undefined;
  /** The nonce in the runtime data, of which `reportData` is the digest. Absent where there is none. */
  readonly nonce?: string | undefined;
}

/** One attested device or TEE: what was proven, and the class that names its submodule and policy. */
export interface ProvenClaims {
  readonly class: TeeClass;
  readonly claims: Claims;
}

/**
 * Proves evidence of one kind. `evidence` is the untrusted JSON document, integers beyond 2^53 as bigint.
 * Resolves to at least one set of claims. Throws a CodedError when the evidence is not genuine or not bound,
 * a CouldNotCheckError when that could not be found out.
 */
export interface Verifier {
  verify(
    evidence: unknown,
    expected: ExpectedBinding,
    at: Date,
  ): Promise<readonly [ProvenClaims, ...ProvenClaims[]]>;
}
