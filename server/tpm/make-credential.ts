import {
  constants,
  createCipheriv,
  createHmac,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { concatBytes } from '../bytes/byte-strings.ts';
import { toUtf8 } from '../bytes/encoding.ts';
import { TpmError } from './tpm-error.ts';
import { digestBytes, type TpmHash } from './tpm-hash.ts';

/** A storage key of a TPM, of which an endorsement key certificate was made. */
export interface EndorsementKey {
  /** RSA */
  readonly publicKey: KeyObject;
  /** As its template has them: SHA-256 and 128 for RSA 2048 (TCG EK Credential Profile, template L-1). */
  readonly nameHash: TpmHash;
  readonly symmetricBits: 128 | 256;
}

/** What TPM2_ActivateCredential takes, with the sizes before them. */
export interface MadeCredential {
  /** TPM2B_ID_OBJECT */
  readonly credentialBlob: Uint8Array;
  /** TPM2B_ENCRYPTED_SECRET */
  readonly encryptedSecret: Uint8Array;
}

/** Labels end with a zero. */
const IDENTITY = Uint8Array.of(...toUtf8('IDENTITY'), 0);
const NOTHING = new Uint8Array();
/** AES, with an IV of zeros: the seed is used once. */
const BLOCK_BYTES = 16;

/**
 * Encrypts a secret so that only the TPM with this endorsement key can read it, and only while the object with this name
 * is loaded in it: whoever returns the secret has both (TPM 2.0 Part 1, "Credential Protection"; Part 3, TPM2_MakeCredential).
 * `secret` takes at most the bytes of the endorsement key's name hash. Throws TpmError TPM_KEY_UNSUITABLE.
 */
export function makeCredential(
  endorsementKey: EndorsementKey,
  objectName: Uint8Array,
  secret: Uint8Array,
): MadeCredential {
  const { publicKey, nameHash, symmetricBits } = endorsementKey;
  const hashBytes = digestBytes(nameHash);
  if (publicKey.asymmetricKeyType !== 'rsa' || secret.byteLength > hashBytes) {
    throw new TpmError(
      'TPM_KEY_UNSUITABLE',
      `expected an RSA endorsement key and a secret of at most ${hashBytes} bytes, got ${publicKey.asymmetricKeyType ?? 'no key'} and ${secret.byteLength}`,
    );
  }
  const seed = randomBytes(hashBytes);
  const storageKey = kdfa(nameHash, seed, 'STORAGE', objectName, symmetricBits);
  const cipher = createCipheriv(`aes-${symmetricBits}-cfb`, storageKey, new Uint8Array(BLOCK_BYTES));
  const identity = concatBytes(cipher.update(sized(secret)), cipher.final());
  const integrityKey = kdfa(nameHash, seed, 'INTEGRITY', NOTHING, 8 * hashBytes);
  const integrity = createHmac(nameHash, integrityKey).update(identity).update(objectName).digest();
  const encryptedSeed = publicEncrypt(
    {
      key: publicKey,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: nameHash,
      oaepLabel: IDENTITY,
    },
    seed,
  );
  return {
    credentialBlob: sized(concatBytes(sized(integrity), identity)),
    encryptedSecret: sized(encryptedSeed),
  };
}

/** KDFa with an empty contextV (TPM 2.0 Part 1, "KDFa()"; NIST SP 800-108, counter mode). */
export function kdfa(
  hash: TpmHash,
  key: Uint8Array,
  label: string,
  context: Uint8Array,
  bits: number,
): Uint8Array {
  const length = bits / 8;
  const blocks: Uint8Array[] = [];
  for (let counter = 1; (counter - 1) * digestBytes(hash) < length; counter++) {
    const block = createHmac(hash, key)
      .update(u32(counter))
      .update(label)
      .update(Uint8Array.of(0))
      .update(context)
      .update(u32(bits))
      .digest();
    blocks.push(block);
  }
  return concatBytes(...blocks).subarray(0, length);
}

/** TPM2B: two bytes of size before the bytes. */
function sized(bytes: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(bytes.byteLength >> 8, bytes.byteLength & 0xff), bytes);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
