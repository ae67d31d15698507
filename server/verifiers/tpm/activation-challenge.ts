import { z } from 'zod';
import { fromBase64, toBase64 } from '../../bytes/encoding.ts';
import { parseJson } from '../../json/strict-json.ts';
import type { Activation } from './activation.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';

const MAX_CERTIFICATES = 8;
const MAX_TEXT = 12_288;

const paramsSchema = z.object({
  ek_cert_chain: z.array(z.string().max(MAX_TEXT)).min(1).max(MAX_CERTIFICATES),
  ak_tpm_public: z.string().max(MAX_TEXT),
});

/**
 * The answer to a challenge request of a guest with a TPM: the nonce alone, or, where `tee_params` is JSON with `ek_cert_chain`
 * (base64 of DER, the endorsement key's first) and `ak_tpm_public` (base64 of a TPM2B_PUBLIC), JSON text with a credential for
 * TPM2_ActivateCredential beside it: `{nonce, credential_blob, encrypted_secret}`.
 * Throws TpmEvidenceError EVIDENCE_MALFORMED, and as Activation.makeChallenge.
 */
export function answerTpmChallenge(activation: Activation, params: string, nonce: string, at: Date): string {
  if (!params.startsWith('{')) return nonce;
  const parsed = paramsSchema.safeParse(parseJson(params));
  if (!parsed.success) {
    throw new TpmEvidenceError(
      'EVIDENCE_MALFORMED',
      "expected tee_params with 'ek_cert_chain' and 'ak_tpm_public', got other JSON",
      { cause: parsed.error },
    );
  }
  const { ek_cert_chain: chain, ak_tpm_public: akTpmPublic } = parsed.data;
  const identity = { ekCertificates: chain.map(fromBase64), akTpmPublic: fromBase64(akTpmPublic) };
  const made = activation.makeChallenge(identity, nonce, at);
  return JSON.stringify({
    nonce,
    credential_blob: toBase64(made.credentialBlob),
    encrypted_secret: toBase64(made.encryptedSecret),
  });
}
