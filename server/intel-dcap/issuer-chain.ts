import { MalformedError } from '../errors/malformed-error.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { splitPem } from '../x509/pem.ts';

/** Intel's chains are of two. */
const MAX_CHAIN_LENGTH = 4;

/**
 * The certificates (DER, leaf first) in URL-encoded PEM, which is how Intel's service sends them beside what they signed.
 * Unverified. Throws MalformedError ENCODING_MALFORMED, X509Error CERTIFICATE_MALFORMED, CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function chainOfText(encoded: string): readonly Uint8Array[] {
  const chain = splitPem(decode(encoded));
  if (chain.length > MAX_CHAIN_LENGTH) {
    throw malformed(`at most ${MAX_CHAIN_LENGTH} certificates of an issuer, got ${chain.length}`);
  }
  return chain.map((der) => parseCertificate(der).der);
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw malformed(`URL-encoded PEM, got ${encoded.length} characters of another encoding`, cause);
  }
}

function malformed(expected: string, cause?: unknown): MalformedError {
  return new MalformedError('ENCODING_MALFORMED', `expected ${expected}`, { cause });
}
