import { type KeyObject, verify } from 'node:crypto';
import { bytesEqual, concatBytes, padTo, sha256 } from '../bytes/byte-strings.ts';
import { ecdsaSignatureToDer } from '../bytes/ecdsa-signature.ts';
import type { ProvenPck } from './pck-chain.ts';
import type { Quote } from './quote.ts';
import { QuoteError } from './quote-error.ts';

/** Whatever the attestation key does, the PCE signs the QE report with ECDSA P-256 and SHA-256. */
const PCK_HASH = 'sha256';

/** Checks that the platform's PCK signed the QE report. Throws QuoteError QE_REPORT_SIGNATURE_INVALID. */
export async function verifyQeReportSignature({ signatureData }: Quote, pck: ProvenPck): Promise<void> {
  const { qeReport, qeReportSignature } = signatureData;
  if (await isSignedBy(pck.publicKey, PCK_HASH, qeReport.bytes, qeReportSignature)) return;
  throw new QuoteError(
    'QE_REPORT_SIGNATURE_INVALID',
    'expected the QE report to be signed by the PCK of its platform, got another signature',
  );
}

/**
 * Checks that the QE vouches for the attestation key: its report data is the hash of the key and the authentication data,
 * and zeros. Throws QuoteError ATTESTATION_KEY_NOT_BOUND.
 */
export function requireAttestationKeyBound({ signatureData }: Quote): void {
  const { attestationKey, authenticationData, qeReport } = signatureData;
  const expected = padTo(
    sha256(concatBytes(attestationKey, authenticationData)),
    qeReport.reportData.byteLength,
  );
  if (expected !== undefined && bytesEqual(qeReport.reportData, expected)) return;
  throw new QuoteError(
    'ATTESTATION_KEY_NOT_BOUND',
    'expected the report data of the QE to be the hash of the attestation key, got another',
  );
}

/** Checks that the attestation key signed the quote, header and body. Throws QuoteError QUOTE_SIGNATURE_INVALID. */
export async function verifyQuoteSignature(
  { header, signedBytes, signatureData }: Quote,
  attestationKey: KeyObject,
): Promise<void> {
  const { hash } = header.algorithm;
  if (await isSignedBy(attestationKey, hash, signedBytes, signatureData.signature)) return;
  throw new QuoteError(
    'QUOTE_SIGNATURE_INVALID',
    'expected the quote to be signed by its attestation key, got another signature',
  );
}

/** On the thread pool, since this is most of the work of a request. */
async function isSignedBy(
  key: KeyObject,
  hash: 'sha256',
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    verify(hash, data, key, ecdsaSignatureToDer(signature), (error, isValid) => {
      if (error === null) resolve(isValid);
      else reject(error);
    });
  });
}
