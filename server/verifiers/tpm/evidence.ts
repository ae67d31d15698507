import { z } from 'zod';
import { fromBase64, fromHex } from '../../bytes/encoding.ts';
import { isCodedError } from '../../errors/coded-error.ts';
import { MAX_PCR_VALUES } from '../../tpm/pcr-values.ts';
import type { TpmQuote } from '../../tpm/quote-verification.ts';
import { parseTpmSignature } from '../../tpm/tpmt-signature.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';

const MAX_QUOTE_PART_BYTES = 1024;
const MAX_KEY_BYTES = 1024;
const MAX_CERTIFICATES = 8;
const MAX_SECRET_BYTES = 64;
const MAX_CERTIFICATE_BYTES = 8192;
const MAX_EVENT_LOG_BYTES = 1 << 20;

/** Unknown members are ignored, as the other readers of this document do. */
const schema = z.object({
  ak_public: base64(MAX_KEY_BYTES),
  tpm_quote: z.object({
    signature: base64(MAX_QUOTE_PART_BYTES),
    message: base64(MAX_QUOTE_PART_BYTES),
    pcrs: z.array(z.string().max(128)).max(MAX_PCR_VALUES),
  }),
  ak_tpm_public: base64(MAX_KEY_BYTES).optional(),
  ak_cert_chain: z.array(base64(MAX_CERTIFICATE_BYTES)).min(1).max(MAX_CERTIFICATES).optional(),
  ek_cert_chain: z.array(base64(MAX_CERTIFICATE_BYTES)).min(1).max(MAX_CERTIFICATES).optional(),
  activated_secret: base64(MAX_SECRET_BYTES).optional(),
  event_log: base64(MAX_EVENT_LOG_BYTES).optional(),
});

/** Evidence of a TPM in our own form. Unproven. */
export interface TpmEvidence {
  /** `ak_public` as it was written. */
  readonly akPublicText: string;
  /** DER of a SubjectPublicKeyInfo. */
  readonly akPublic: Uint8Array;
  readonly quote: TpmQuote;
  /** TPM2B_PUBLIC of the attestation key. */
  readonly akTpmPublic: Uint8Array | undefined;
  /** DER, the attestation key's first. */
  readonly akCertificates: readonly Uint8Array[] | undefined;
  /** DER, the endorsement key's first. */
  readonly ekCertificates: readonly Uint8Array[] | undefined;
  /** What TPM2_ActivateCredential gave back. */
  readonly activatedSecret: Uint8Array | undefined;
  readonly eventLog: Uint8Array | undefined;
}

/**
 * Reads the evidence JSON of the Confidential Containers guest, `{ak_public, tpm_quote: {signature, message, pcrs}}`, bytes
 * in base64 and PCRs in hex, and members that show whose key it is: `ak_tpm_public`, `ak_cert_chain`, `ek_cert_chain`,
 * `activated_secret`; and `event_log`.
 * Throws TpmEvidenceError EVIDENCE_MALFORMED; TpmError SIGNATURE_ALGORITHM_UNSUPPORTED; MalformedError TRUNCATED,
 * TRAILING_BYTES.
 */
export function readTpmEvidence(evidence: unknown): TpmEvidence {
  const parsed = schema.safeParse(evidence);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`evidence of a TPM, '${issue?.path.join('.') ?? ''}' among it`, parsed.error);
  }
  const { ak_public: akPublicText, tpm_quote: quote, ...others } = parsed.data;
  return {
    akPublicText,
    akPublic: decode(fromBase64, akPublicText, 'ak_public'),
    quote: {
      message: decode(fromBase64, quote.message, 'message'),
      signature: parseTpmSignature(decode(fromBase64, quote.signature, 'signature')),
      pcrValues: quote.pcrs.map((pcr) => decode(fromHex, pcr, 'pcrs')),
    },
    akTpmPublic: optional(others.ak_tpm_public, 'ak_tpm_public'),
    akCertificates: others.ak_cert_chain?.map((text) => decode(fromBase64, text, 'ak_cert_chain')),
    ekCertificates: others.ek_cert_chain?.map((text) => decode(fromBase64, text, 'ek_cert_chain')),
    activatedSecret: optional(others.activated_secret, 'activated_secret'),
    eventLog: optional(others.event_log, 'event_log'),
  };
}

function base64(maximumBytes: number): z.ZodString {
  return z.string().max(Math.ceil(maximumBytes / 3) * 4);
}

function optional(text: string | undefined, name: string): Uint8Array | undefined {
  return text === undefined ? undefined : decode(fromBase64, text, name);
}

function decode(read: (text: string) => Uint8Array, text: string, name: string): Uint8Array {
  try {
    return read(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed(`'${name}' in its encoding`, cause);
  }
}

function malformed(expected: string, cause: unknown): TpmEvidenceError {
  return new TpmEvidenceError('EVIDENCE_MALFORMED', `expected ${expected}, got something else`, { cause });
}
