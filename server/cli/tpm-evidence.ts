import { sha256 } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { tpmNameOf } from '../tpm/ak-name.ts';
import { parseTpm2bPublic } from '../tpm/tpm2b-public.ts';
import { readTpmEvidence } from '../verifiers/tpm/evidence.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { nameOf } from '../x509/chain.ts';
import { CommandError } from './command-error.ts';
import type { EvidenceFile } from './command-io.ts';
import { attachedEventLog } from './event-log.ts';
import { quoteFacts } from './tpm-quote.ts';

/**
 * Reads the JSON evidence of a bare TPM without judging it. `ak_sha256` and `ak_name` are what an operator writes into
 * `verifiers.tpm.trusted_aks`. Throws CommandError INPUT_INVALID, TpmEvidenceError, TpmError, X509Error, MalformedError.
 */
export function inspectTpmEvidence(evidence: EvidenceFile): JsonObject {
  if (evidence.form === 'bytes') {
    throw new CommandError('INPUT_INVALID', 'expected the JSON of TPM evidence, got bytes');
  }
  const read = readTpmEvidence(evidence.document);
  const { pcrs, binding, quote } = quoteFacts(read.quote);
  const { akTpmPublic, akCertificates } = read;
  return {
    ak_public: read.akPublicText,
    ak_sha256: toHex(sha256(read.akPublic)),
    ...(akTpmPublic !== undefined && { ak_name: toHex(tpmNameOf(parseTpm2bPublic(akTpmPublic))) }),
    ...(akCertificates !== undefined && {
      ak_cert_chain: akCertificates.map((der) => nameOf(parseCertificate(der))),
    }),
    ...binding,
    ...pcrs,
    tpm_quote: quote,
    ...attachedEventLog(read.eventLog),
  };
}
