import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { fromUtf8, toBase64, toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { CodedError } from '../errors/coded-error.ts';
import { publicMembers, thumbprintOf } from './jwk-thumbprint.ts';

export type SigningKeyErrorCode =
  | 'SIGNING_KEY_MALFORMED'
  | 'SIGNING_KEY_UNSUPPORTED'
  | 'SIGNING_CERTIFICATE_MALFORMED'
  | 'SIGNING_CERTIFICATE_MISMATCH';

/** The configured key or certificate cannot sign tokens. Its messages never hold key material. */
export class SigningKeyError extends CodedError<SigningKeyErrorCode> {}

/** The ES256 key that tokens are signed with. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  /** RFC 7638 thumbprint: the tokens' `kid`. */
  readonly keyId: string;
  /** As published: with `alg`, `use`, `kid`, and `x5c` when there is a certificate. */
  readonly publicJwk: JsonObject;
  /** The protected header of every token of this key, base64url. */
  readonly encodedHeader: string;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MAX_CERTIFICATES = 10;

/** A new key, as the store of server keys keeps it: PKCS#8 in PEM, and the public JWK. */
export function makeSigningKey(): {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly publicJwk: JsonObject;
} {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { keyId, publicJwk } = toSigningKey(privateKey, []);
  return {
    id: keyId,
    secret: toUtf8(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    publicJwk,
  };
}

/** The key of a store's secret (PKCS#8, PEM). Throws SigningKeyError. */
export function signingKeyFromStore(secret: Uint8Array): SigningKey {
  return toSigningKey(readKey(fromUtf8(secret)), []);
}

/**
 * The key of a PEM file (SEC1 or PKCS#8), with the certificates of another, leaf first. The leaf has to certify the key.
 * Throws SigningKeyError.
 */
export function signingKeyFromPem(keyPem: string, certificatesPem?: string): SigningKey {
  const privateKey = readKey(keyPem);
  const certificates = certificatesPem === undefined ? [] : readCertificates(certificatesPem);
  const [leaf] = certificates;
  if (leaf !== undefined && !leaf.checkPrivateKey(privateKey)) {
    throw new SigningKeyError(
      'SIGNING_CERTIFICATE_MISMATCH',
      'expected the first certificate to certify the signing key, got one of another key',
    );
  }
  return toSigningKey(privateKey, certificates);
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's error is not passed on: it may quote the file.
    throw new SigningKeyError('SIGNING_KEY_MALFORMED', 'expected a private key in SEC1 or PKCS#8 form');
  }
}

function readCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_CERTIFICATES) {
    throw new SigningKeyError(
      'SIGNING_CERTIFICATE_MALFORMED',
      `expected 1 to ${MAX_CERTIFICATES} certificates in PEM, got ${blocks.length}`,
    );
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new SigningKeyError('SIGNING_CERTIFICATE_MALFORMED', 'expected certificates in PEM', { cause });
  }
}

function toSigningKey(privateKey: KeyObject, certificates: readonly X509Certificate[]): SigningKey {
  const curve = privateKey.asymmetricKeyDetails?.namedCurve;
  if (privateKey.asymmetricKeyType !== 'ec' || curve !== 'prime256v1') {
    throw new SigningKeyError(
      'SIGNING_KEY_UNSUPPORTED',
      `expected a key on P-256, got ${curve ?? privateKey.asymmetricKeyType ?? 'another'}`,
    );
  }
  const members = publicMembers({ ...createPublicKey(privateKey).export({ format: 'jwk' }) });
  const kid = thumbprintOf(members);
  const jwk: JsonObject = {
    kty: 'EC',
    crv: 'P-256',
    alg: 'ES256',
    x: members['x'] ?? '',
    y: members['y'] ?? '',
    ...(certificates.length > 0 && { x5c: certificates.map(({ raw }) => toBase64(raw)) }),
  };
  return {
    privateKey,
    keyId: kid,
    publicJwk: { ...jwk, use: 'sig', kid },
    encodedHeader: toBase64Url(toUtf8(JSON.stringify({ typ: 'JWT', alg: 'ES256', jwk, kid }))),
  };
}
