import { fromHex, fromUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { parseRevocationList, type RevocationList } from '../x509/crl.ts';
import { splitPem } from '../x509/pem.ts';
import { X509Error } from '../x509/x509-error.ts';

const DER_START = 0x30;
/** Twice the DER, and some line breaks. */
const MAX_TEXT_BYTES = 3 << 20;

/**
 * The one revocation list in bytes of any form in which services hand them out: DER, PEM, or hex text, which is what Intel's
 * caching service answers. Throws X509Error CRL_MALFORMED, CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function readAnyRevocationList(bytes: Uint8Array): RevocationList {
  return parseRevocationList(bytes[0] === DER_START ? bytes : derOfText(bytes));
}

function derOfText(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > MAX_TEXT_BYTES) throw malformed(`${bytes.byteLength} bytes`);
  try {
    const text = fromUtf8(bytes).trim();
    if (!text.includes('-----BEGIN ')) return fromHex(text);
    const [der, ...others] = splitPem(text, 'crl');
    if (der === undefined || others.length > 0) throw malformed('PEM that holds none, or several');
    return der;
  } catch (cause) {
    if (cause instanceof X509Error || !(cause instanceof CodedError)) throw cause;
    throw malformed(`${bytes.byteLength} bytes that are not`, cause);
  }
}

function malformed(came: string, cause?: unknown): X509Error {
  return new X509Error('CRL_MALFORMED', `expected a revocation list in DER, PEM or hex, got ${came}`, {
    cause,
  });
}
