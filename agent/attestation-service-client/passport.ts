import { type BindingHash, bindingHashOf } from '../binding/binding-hash.ts';
import { type BoundEvidence, collectEvidence, type RuntimeData } from '../binding/bound-evidence.ts';
import { type BoundToken, checkTokenOnArrival } from '../binding/token-on-arrival.ts';
import { ClientError } from '../client-error.ts';
import type { Guest } from '../guest.ts';
import { type AttemptOptions, withAttempts } from '../http/attempts.ts';
import type { Server } from '../http/server.ts';
import { createTeeKey } from '../tee-key/tee-key.ts';
import { requestNonce, requestToken, type VerificationRequest } from './attestation-service-client.ts';

export interface PassportOptions {
  readonly server: Server;
  /** Which policies judge; none: the service's default. */
  readonly policyIds?: readonly string[];
  readonly attempts?: AttemptOptions | undefined;
}

/**
 * The passport model of RATS (RFC 9334, section 5.1), straight from an attestation service: a nonce, evidence bound to it and to
 * a fresh key, and a token that any key broker can check, stating that key. Each attempt begins with a nonce of its
 * own, because a nonce works once. Throws ClientError; EvidenceError or an attester's own when the TEE gives none.
 */
export async function fetchPassport(guest: Guest, options: PassportOptions): Promise<BoundToken> {
  return await withAttempts(async (signal) => {
    try {
      return await attestOnce(guest, options, signal);
    } catch (error) {
      // Ours came too late or was used, by an attempt whose reply was lost: another one may do.
      if (!(error instanceof ClientError) || error.code !== 'NONCE_REFUSED') throw error;
      return await attestOnce(guest, options, signal);
    }
  }, options.attempts);
}

async function attestOnce(
  guest: Guest,
  { server, policyIds }: PassportOptions,
  signal: AbortSignal,
): Promise<BoundToken> {
  const key = await createTeeKey(guest.teeKeyAlgorithm);
  const nonce = await requestNonce(server, guest.provider.tee, signal);
  const hash = bindingHashOf(guest.provider.tee);
  const data = { nonce, 'tee-pubkey': key.publicJwk };
  const evidence = await collectEvidence(guest.provider, data, hash, guest.digester);
  const token = await requestToken(server, requestsOf(guest, data, evidence, hash), policyIds ?? [], signal);
  return checkTokenOnArrival(token, key, { at: guest.clock(), skewSeconds: guest.skewSeconds });
}

/** Bound as in the key broker's handshake, so that the token says the same either way. */
function requestsOf(
  { provider, initDataToml }: Guest,
  data: RuntimeData,
  { primary, devices, additional }: BoundEvidence,
  hash: BindingHash,
): readonly VerificationRequest[] {
  const runtimeData = { ...data, 'additional-evidence': additional };
  return [
    { tee: provider.tee, evidence: primary, runtimeData, hash, initDataToml },
    ...devices.map((device) => ({ ...device, runtimeData: data, hash })),
  ];
}
