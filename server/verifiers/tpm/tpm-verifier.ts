import { padTo } from '../../bytes/byte-strings.ts';
import type { Claims } from '../../claims/claims.ts';
import { parseAttestationKey } from '../../tpm/attestation-key.ts';
import type { PcrValues } from '../../tpm/pcr-values.ts';
import { bindingClaims, pcrClaims, requireExtraData, requireInitDataPcr } from '../../tpm/quote-binding.ts';
import { sha256Pcrs, verifyQuote } from '../../tpm/quote-verification.ts';
import type { Verifier } from '../verifier.ts';
import { type AkTrustOptions, requireTrustedAk } from './ak-trust.ts';
import { readTpmEvidence } from './evidence.ts';

/**
 * Replays an event log against the PCRs of one bank and says what it found, as members of the claims. Throws a CodedError
 * when the log does not lead to the PCRs.
 */
export type ReplayEventLog = (log: Uint8Array, pcrs: PcrValues, algorithm: 'sha256') => Claims;

interface TpmVerifierOptions extends AkTrustOptions {
  /** `undefined`: event logs are passed over, and nothing is claimed of them. */
  readonly replayEventLog: ReplayEventLog | undefined;
}

/** What guests of the Confidential Containers project put into a quote. */
const UPSTREAM_BYTES = 32;
const PADDED_BYTES = 64;
/** Bytes of SHA-384 and SHA-512. */
const LONGER_DIGESTS: ReadonlySet<number> = new Set([48, 64]);

/** Proves quotes of a TPM 2.0 whose attestation key the operator, or an authority of the operator's, vouches for. */
export function createTpmVerifier(options: TpmVerifierOptions): Verifier {
  return {
    async verify(evidence, expected, at) {
      const read = readTpmEvidence(evidence);
      const key = parseAttestationKey(read.akPublic);
      const trust = requireTrustedAk(key, read, options, expected.nonce, at);
      const quote = await verifyQuote(read.quote, key);
      const pcrs = sha256Pcrs(quote);
      if (expected.reportData !== undefined) requireExtraData(quote, formsOf(expected.reportData));
      requireInitDataPcr(pcrs, expected.initDataDigest);
      const eventLog = read.eventLog && options.replayEventLog?.(read.eventLog, pcrs, 'sha256');
      const claims = {
        ...eventLog,
        ak_public: read.akPublicText,
        ...trust,
        ...bindingClaims(quote, pcrs),
        ...pcrClaims(pcrs),
      };
      return [{ class: 'cpu', claims }];
    },
  };
}

/**
 * As it is, or padded to 64 bytes, or brought to the 32 that guests send: padded, or cut where it is a digest of SHA-384 or
 * SHA-512, whose first 256 bits still identify the runtime data. Nothing else is cut: a prefix says nothing of the rest.
 */
function formsOf(expected: Uint8Array): readonly Uint8Array[] {
  const cut = LONGER_DIGESTS.has(expected.byteLength) ? expected.subarray(0, UPSTREAM_BYTES) : undefined;
  const forms = [expected, padTo(expected, PADDED_BYTES), padTo(expected, UPSTREAM_BYTES), cut];
  return forms.filter((form) => form !== undefined);
}
