import { fromBase64, fromUtf8 } from '../bytes/encoding.ts';
import { X509Error } from './x509-error.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;
const PEM_START = '-----BEGIN ';
const LABELS = { certificate: new Set(['CERTIFICATE']), crl: new Set(['X509 CRL']) } as const;
/** More than any trust file that we read; a bundle beyond it is refused, not cut. */
const MAX_BLOCKS = 256;

/**
 * The DER values of a PEM bundle (RFC 7468), in its order. Blocks of other kinds are passed over; text around
 * the blocks is ignored, as tools write it. Empty when there is none.
 * Throws X509Error CERTIFICATE_MALFORMED when a block does not close, is not base64, or when there are over 256.
 */
export function splitPem(text: string, kind: keyof typeof LABELS = 'certificate'): readonly Uint8Array[] {
  const blocks = [...text.matchAll(BLOCK)];
  const started = text.split(PEM_START).length - 1;
  if (blocks.length !== started || started > MAX_BLOCKS) {
    throw malformed(
      `at most ${MAX_BLOCKS} complete PEM blocks`,
      `${started} begun, ${blocks.length} complete`,
    );
  }
  return blocks.filter(([, label = '']) => LABELS[kind].has(label)).map(([, , body = '']) => decode(body));
}

/** The one certificate in the bytes, which may be DER or PEM. Throws X509Error CERTIFICATE_MALFORMED. */
export function derOf(bytes: Uint8Array): Uint8Array {
  if (!looksLikePem(bytes)) return bytes;
  const ders = splitPem(decodeText(bytes));
  const [der] = ders;
  if (der === undefined || ders.length !== 1) throw malformed('one PEM certificate', `${ders.length}`);
  return der;
}

/** Whether the bytes start as PEM does; DER starts with 0x30. */
export function looksLikePem(bytes: Uint8Array): boolean {
  return bytes[0] !== 0x30;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw malformed('a certificate in DER or PEM', `${bytes.byteLength} bytes that are neither`, cause);
  }
}

function decode(body: string): Uint8Array {
  try {
    return fromBase64(body.replaceAll(/\s/g, ''));
  } catch (cause) {
    throw malformed('base64 in a PEM block', `${body.length} characters that are not`, cause);
  }
}

function malformed(expected: string, came: string, cause?: unknown): X509Error {
  return new X509Error('CERTIFICATE_MALFORMED', `expected ${expected}, got ${came}`, { cause });
}
