import { jsonText } from '../../server/json/json-text.ts';
import type { EvidenceDocument } from '../attestation-agent/evidence-provider.ts';
import { type BindingHash, DEFAULT_BINDING_HASH } from '../binding/binding-hash.ts';
import type { RuntimeData } from '../binding/bound-evidence.ts';
import type { ClientError } from '../client-error.ts';
import {
  ask,
  failureOfServer,
  malformed,
  refusalOf,
  refused,
  replyText,
  type Server,
} from '../http/server.ts';
import { base64Text, base64UrlText, utf8Bytes } from '../text-encoding.ts';

/** One TEE's or device's part of a request for a token. */
export interface VerificationRequest {
  readonly tee: string;
  readonly evidence: EvidenceDocument;
  /** What the evidence is bound to: the digest of this document's canonical form (RFC 8785). */
  readonly runtimeData?: RuntimeData & { readonly 'additional-evidence'?: string };
  readonly hash?: BindingHash;
  /** The init data that the guest was launched with; it travels, and is compared with the evidence. */
  readonly initDataToml?: string | undefined;
}

const NONCE_BYTES = 32;
const MAX_NONCE_LENGTH = 65_536;
/** Statuses of a server that has no such route. */
const NO_ROUTE: ReadonlySet<number> = new Set([404, 405, 501]);

/**
 * The nonce to bind evidence to, `POST /challenge`. Upstream's service has one for IBM Secure Execution only: for the
 * others it answers nothing, and the nonce is our own. Throws ClientError.
 */
export async function requestNonce(server: Server, tee: string, signal: AbortSignal): Promise<string> {
  const reply = await ask(server, { path: '/challenge', json: { tee, tee_params: '' }, signal });
  if (NO_ROUTE.has(reply.status)) return ownNonce();
  if (reply.status !== 200) throw refusalOfService(server, refusalOf(reply));
  const nonce = replyText(server, reply);
  if (nonce.length > MAX_NONCE_LENGTH) throw malformed(server, 'a nonce');
  return nonce === '' ? ownNonce() : nonce;
}

/**
 * Evidence for a token, `POST /attestation`. Several requests are one guest: its TEE first, then its devices.
 * Resolves to the token, unchecked. Throws ClientError ATTESTATION_REFUSED, NONCE_REFUSED, and those of transport.
 */
export async function requestToken(
  server: Server,
  requests: readonly VerificationRequest[],
  policyIds: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const json = { verification_requests: requests.map(messageOf), policy_ids: policyIds };
  const reply = await ask(server, { path: '/attestation', json, signal });
  if (reply.status !== 200) throw refusalOfService(server, refusalOf(reply));
  return replyText(server, reply).trim();
}

function messageOf({ tee, evidence, runtimeData, hash, initDataToml }: VerificationRequest): object {
  return {
    tee,
    evidence: base64UrlText(utf8Bytes(jsonText(evidence))),
    ...(runtimeData !== undefined && {
      runtime_data: { structured: runtimeData },
      runtime_data_hash_algorithm: hash ?? DEFAULT_BINDING_HASH,
    }),
    ...(initDataToml !== undefined && { init_data: { init_data_toml: initDataToml } }),
  };
}

/** Upstream's service refuses with 500 and text, whatever the reason; so a 500 without a code is its no. */
function refusalOfService(server: Server, refusal: ReturnType<typeof refusalOf>): ClientError {
  const isUpstreamsNo = refusal.status === 500 && refusal.serverCode === undefined;
  const failure = isUpstreamsNo ? undefined : failureOfServer(server, refusal);
  if (failure !== undefined) return failure;
  return refused(refusal.status === 409 ? 'NONCE_REFUSED' : 'ATTESTATION_REFUSED', server, refusal);
}

function ownNonce(): string {
  return base64Text(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}
