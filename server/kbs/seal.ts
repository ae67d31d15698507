import {
  constants,
  createCipheriv,
  createHash,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import { concatBytes } from '../bytes/byte-strings.ts';
import { toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import type { SealedResource } from '../protocol/sealed-resource.ts';
import type { TeePublicKey } from '../token/tee-public-key.ts';

const CONTENT_KEY_LENGTH = 32;
const IV_LENGTH = 12;
/** The initial value of AES key wrap (RFC 3394, section 2.2.3.1). */
const KEY_WRAP_IV = new Uint8Array(8).fill(0xa6);
/** On the thread pool: most of the work of a release, and the other requests need not wait for it. */
const agree: (keys: { privateKey: KeyObject; publicKey: KeyObject }) => Promise<Uint8Array> =
  promisify(diffieHellman);

type EcKey = Extract<TeePublicKey, { algorithm: 'ECDH-ES+A256KW' }>;

/**
 * Seals a resource to a TEE's key: flattened JWE (RFC 7516), AES-256-GCM under a content key of its own.
 *
 * Guest components serialise the protected header anew before they open it, so its text is exact: compact, `alg`,
 * `enc`, then the other members in alphabetical order, at every level.
 */
export async function seal(content: Uint8Array, key: TeePublicKey): Promise<SealedResource> {
  const contentKey = randomBytes(CONTENT_KEY_LENGTH);
  const { header, encryptedKey } = await wrap(contentKey, key);
  const encodedHeader = toBase64Url(toUtf8(header));
  const iv = randomBytes(IV_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(contentKey), iv);
  cipher.setAAD(toUtf8(encodedHeader));
  const ciphertext = concatBytes(cipher.update(content), cipher.final());
  contentKey.fill(0);
  return {
    protected: encodedHeader,
    encrypted_key: toBase64Url(encryptedKey),
    iv: toBase64Url(iv),
    ciphertext: toBase64Url(ciphertext),
    tag: toBase64Url(cipher.getAuthTag()),
  };
}

interface WrappedKey {
  readonly header: string;
  readonly encryptedKey: Uint8Array;
}

async function wrap(contentKey: Uint8Array, key: TeePublicKey): Promise<WrappedKey> {
  switch (key.algorithm) {
    case 'RSA-OAEP-256': {
      // RFC 7518, section 4.3: SHA-256 also in MGF1, which is what OpenSSL does when told one hash.
      const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
      return {
        header: '{"alg":"RSA-OAEP-256","enc":"A256GCM"}',
        encryptedKey: publicEncrypt({ key: key.key, ...padding }, contentKey),
      };
    }
    case 'ECDH-ES+A256KW':
      return await wrapByAgreement(contentKey, key);
  }
}

/** RFC 7518, section 4.6: ephemeral-static Diffie-Hellman on the TEE's curve, then AES key wrap. */
async function wrapByAgreement(contentKey: Uint8Array, { curve, key }: EcKey): Promise<WrappedKey> {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: curve });
  const sharedSecret = await agree({ privateKey: ephemeral.privateKey, publicKey: key });
  const wrappingKey = concatKdf(sharedSecret, 'ECDH-ES+A256KW');
  const cipher = createCipheriv('id-aes256-wrap', createSecretKey(wrappingKey), KEY_WRAP_IV);
  const encryptedKey = concatBytes(cipher.update(contentKey), cipher.final());
  sharedSecret.fill(0);
  wrappingKey.fill(0);
  const { crv, kty, x, y } = ephemeral.publicKey.export({ format: 'jwk' });
  const epk = { crv, kty, x, y };
  return { header: JSON.stringify({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', epk }), encryptedKey };
}

/**
 * 256 bits of the Concat KDF (NIST SP 800-56A, section 5.8.1) with SHA-256, one round, as RFC 7518, section 4.6.2 uses
 * it; PartyUInfo and PartyVInfo are empty.
 */
export function concatKdf(sharedSecret: Uint8Array, algorithm: string): Uint8Array {
  return createHash('sha256')
    .update(u32be(1)) // round
    .update(sharedSecret)
    .update(u32be(algorithm.length)) // AlgorithmID
    .update(algorithm)
    .update(u32be(0)) // PartyUInfo
    .update(u32be(0)) // PartyVInfo
    .update(u32be(256)) // SuppPubInfo: bits of the key
    .digest();
}

function u32be(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
