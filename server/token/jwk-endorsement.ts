import type { KeyObject } from 'node:crypto';
import { fromBase64, fromBase64Url } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { verifyPath } from '../x509/path-building.ts';
import { X509Error } from '../x509/x509-error.ts';
import { headerKey, type KeySource } from './key-source.ts';
import { KeyError, TokenError } from './token-error.ts';
import type { VerificationKey } from './verification-key.ts';

const MAX_CERTIFICATES = 10;
const MAX_CERTIFICATE_TEXT = 16_384;
const LINE_BREAKS = /[\r\n]+/g;

/**
 * The issuer's keys are those that its certificate authority endorsed: the token's header carries the key (`jwk`) with
 * its certificates (`x5c`, RFC 7517, section 4.7). The first certifies the key, the others help to find a path to one of
 * the trusted, self-signed certificates. Throws KeyError KEY_SOURCE_INVALID when nothing is trusted, TokenError at use.
 */
export function endorsedHeaderKeys(trusted: readonly Certificate[]): KeySource {
  if (trusted.length === 0) {
    throw new KeyError(
      'KEY_SOURCE_INVALID',
      "expected at least one root certificate of the issuer's, got none",
    );
  }
  return {
    async candidates({ jwk }, at) {
      if (jwk === undefined) throw notEndorsed("a header with 'jwk' and its certificates");
      const key = headerKey(jwk);
      assertEndorsed(jwk, key, trusted, at);
      return [key];
    },
  };
}

function assertEndorsed(
  jwk: JsonObject,
  key: VerificationKey,
  trusted: readonly Certificate[],
  at: Date,
): void {
  const [leaf, ...untrusted] = certificatesOf(jwk);
  if (leaf === undefined) throw notEndorsed("'x5c' with at least one certificate");
  try {
    // The certified key itself is compared, not what the header says of it.
    if (!isSameKey(leaf.publicKey, key.key)) {
      throw notEndorsed("the first certificate of 'x5c' to certify the key of 'jwk'");
    }
    verifyPath(leaf, untrusted, trusted, at);
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw notEndorsed(`a path to a trusted root (${cause.message})`, cause);
  }
}

function isSameKey(left: KeyObject, right: KeyObject): boolean {
  return left.asymmetricKeyType === right.asymmetricKeyType && left.equals(right);
}

function certificatesOf(jwk: JsonObject): readonly Certificate[] {
  const x5c = jwk['x5c'];
  if (!Array.isArray(x5c) || x5c.length > MAX_CERTIFICATES) {
    throw notEndorsed(`'x5c' to be a list of at most ${MAX_CERTIFICATES} certificates`);
  }
  return x5c.map((entry: unknown) => readCertificate(entry));
}

function readCertificate(entry: unknown): Certificate {
  const expected = "each entry of 'x5c' to be a certificate";
  if (typeof entry !== 'string' || entry.length > MAX_CERTIFICATE_TEXT) throw notEndorsed(expected);
  try {
    return parseCertificate(decodeCertificate(entry.replaceAll(LINE_BREAKS, '')));
  } catch (cause) {
    if (!(cause instanceof X509Error || cause instanceof MalformedError)) throw cause;
    throw notEndorsed(expected, cause);
  }
}

/** RFC 7517 wants base64 here; upstream reads base64url too, because attestation services write it. */
function decodeCertificate(text: string): Uint8Array {
  return /[-_]/.test(text) || text.length % 4 !== 0 ? fromBase64Url(text) : fromBase64(text);
}

function notEndorsed(expected: string, cause?: unknown): TokenError {
  return new TokenError('TOKEN_KEY_NOT_ENDORSED', `expected ${expected}, got something else`, { cause });
}
