import type { CryptoKey } from 'jose';
import { isCodedError } from '../../server/errors/coded-error.ts';
import type { SealedResource } from '../../server/protocol/sealed-resource.ts';
import { base64UrlBytes, utf8Bytes } from '../text-encoding.ts';
import { type AgreementHeader, parseSealedHeader } from './sealed-header.ts';
import type { TeeKey } from './tee-key.ts';
import { TeeKeyError, type TeeKeyErrorCode } from './tee-key-error.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const WRAPPED_KEY_BYTES = 40; // 256 bits and AES key wrap's 64 bits (RFC 3394)
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CONTENT_KEY_BITS = 256;

/**
 * Opens a resource that was sealed to the key: flattened JWE (RFC 7516, section 7.2.2). The authenticated text is the
 * protected header as it came. By WebCrypto and not by jose, which hides which of key and content was wrong: that
 * is of use against senders that learn from the answer, and here nobody does, but an operator needs to know.
 * Throws TeeKeyError.
 */
export async function openSealed(sealed: SealedResource, key: TeeKey): Promise<Uint8Array> {
  const header = parseSealedHeader(sealed.protected);
  const encryptedKey = decode(sealed.encrypted_key, 'an encrypted key');
  const contentKey =
    header.alg === 'RSA-OAEP-256'
      ? await decryptKey(encryptedKey, key)
      : await unwrapByAgreement(encryptedKey, header, key);
  return await openContent(sealed, contentKey);
}

async function decryptKey(encryptedKey: Bytes, key: TeeKey): Promise<CryptoKey> {
  if (key.algorithm !== 'RSA-OAEP-256') throw otherAlgorithm('RSA-OAEP-256', key);
  const raw = await orRefuse(
    'SEALED_TO_OTHER_KEY',
    async () => await crypto.subtle.decrypt('RSA-OAEP', key.privateKey, encryptedKey),
  );
  if (raw.byteLength * 8 !== CONTENT_KEY_BITS) {
    throw new TeeKeyError(
      'SEALED_KEY_LENGTH_WRONG',
      `expected a content key of ${CONTENT_KEY_BITS} bits, got ${raw.byteLength * 8}`,
    );
  }
  return await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
}

/** RFC 7518, section 4.6. The length is looked at first: AES key wrap of fewer bytes has no meaning. */
async function unwrapByAgreement(
  encryptedKey: Bytes,
  header: AgreementHeader,
  key: TeeKey,
): Promise<CryptoKey> {
  const curve = key.publicJwk['crv'];
  if (key.algorithm === 'RSA-OAEP-256' || typeof curve !== 'string') throw otherAlgorithm(header.alg, key);
  if (header.epk.crv !== curve) {
    throw new TeeKeyError(
      'SEALED_ON_OTHER_CURVE',
      `expected a resource sealed on ${curve}, got '${header.epk.crv.slice(0, 32)}'`,
    );
  }
  if (encryptedKey.byteLength !== WRAPPED_KEY_BYTES) {
    throw new TeeKeyError(
      'SEALED_KEY_LENGTH_WRONG',
      `expected a wrapped key of ${WRAPPED_KEY_BYTES} bytes, got ${encryptedKey.byteLength}`,
    );
  }
  const ephemeral = await importEphemeral(header, curve);
  const agreement = { name: 'ECDH', public: ephemeral };
  const secret = await crypto.subtle.deriveBits(agreement, key.privateKey, null);
  const wrappingKey = await deriveWrappingKey(new Uint8Array(secret), header);
  return await orRefuse(
    'SEALED_TO_OTHER_KEY',
    async () =>
      await crypto.subtle.unwrapKey('raw', encryptedKey, wrappingKey, 'AES-KW', 'AES-GCM', false, [
        'decrypt',
      ]),
  );
}

/** A point that is not on the curve is refused by the runtime: it would leak the private key. */
async function importEphemeral({ epk }: AgreementHeader, namedCurve: string): Promise<CryptoKey> {
  const { kty, crv, x, y } = epk;
  return await orRefuse(
    'SEALED_EPHEMERAL_KEY_INVALID',
    async () =>
      await crypto.subtle.importKey('jwk', { kty, crv, x, y }, { name: 'ECDH', namedCurve }, false, []),
  );
}

/** One round of the Concat KDF with SHA-256 (NIST SP 800-56A, section 5.8.1; RFC 7518, section 4.6.2). */
async function deriveWrappingKey(secret: Bytes, { alg, apu, apv }: AgreementHeader): Promise<CryptoKey> {
  const otherInfo = [
    lengthAndBytes(utf8Bytes(alg)), // AlgorithmID
    lengthAndBytes(decode(apu ?? '', 'apu')), // PartyUInfo
    lengthAndBytes(decode(apv ?? '', 'apv')), // PartyVInfo
    u32be(CONTENT_KEY_BITS), // SuppPubInfo
  ];
  const digest = await crypto.subtle.digest('SHA-256', join(u32be(1), secret, ...otherInfo));
  secret.fill(0);
  return await crypto.subtle.importKey('raw', digest, 'AES-KW', false, ['unwrapKey']);
}

async function openContent(sealed: SealedResource, contentKey: CryptoKey): Promise<Uint8Array> {
  const iv = decode(sealed.iv, 'an initialisation vector');
  const tag = decode(sealed.tag, 'a tag');
  if (iv.byteLength !== IV_BYTES || tag.byteLength !== TAG_BYTES) {
    throw contentMalformed(`an IV of ${IV_BYTES} and a tag of ${TAG_BYTES} bytes`);
  }
  const settings = {
    name: 'AES-GCM',
    iv,
    additionalData: utf8Bytes(sealed.protected),
    tagLength: TAG_BYTES * 8,
  };
  const content = join(decode(sealed.ciphertext, 'a ciphertext'), tag);
  return new Uint8Array(
    await orRefuse(
      'SEALED_CONTENT_TAMPERED',
      async () => await crypto.subtle.decrypt(settings, contentKey, content),
    ),
  );
}

const REFUSALS = {
  SEALED_TO_OTHER_KEY: 'expected a resource sealed to this key, got one sealed to another',
  SEALED_CONTENT_TAMPERED: 'expected content as it was sealed, got content, header or tag that was changed',
  SEALED_EPHEMERAL_KEY_INVALID: "expected 'epk' to be a point on its curve, got none",
} as const satisfies Partial<Record<TeeKeyErrorCode, string>>;

/** WebCrypto says no by a DOMException, without a reason. */
async function orRefuse<T>(code: keyof typeof REFUSALS, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof DOMException) throw new TeeKeyError(code, REFUSALS[code], { cause });
    throw cause;
  }
}

function decode(text: string, what: string): Bytes {
  try {
    return base64UrlBytes(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw contentMalformed(`${what} in base64url`, cause);
  }
}

function lengthAndBytes(bytes: Bytes): Bytes {
  return join(u32be(bytes.byteLength), bytes);
}

function u32be(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function join(...parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

function contentMalformed(expected: string, cause?: unknown): TeeKeyError {
  return new TeeKeyError(
    'SEALED_CONTENT_MALFORMED',
    `sealed resource: expected ${expected}, got something else`,
    { cause },
  );
}

function otherAlgorithm(alg: string, key: TeeKey): TeeKeyError {
  return new TeeKeyError(
    'SEALED_BY_OTHER_ALGORITHM',
    `expected a resource sealed for ${key.algorithm}, got '${alg}'`,
  );
}
