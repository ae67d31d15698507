import { randomBytes } from 'node:crypto';
import type { AesGCM, Handle, Mechanism, RsaOAEP, Template } from 'pkcs11js';
import { z } from 'zod';
import { asBuffer } from '../../../../server/bytes/byte-strings.ts';
import { fromBase64, toBase64 } from '../../../../server/bytes/encoding.ts';
import {
  type Annotations,
  type Decrypter,
  type Encrypter,
  type KmsDriver,
  KmsError,
  type SecretGetter,
} from '../kms.ts';
import type { KmsContext } from '../kms-context.ts';
import { base64Text, parseAnnotations, parseName, parseSettings } from '../provider-members.ts';
import {
  loadToken,
  PKCS11_PROVIDER,
  type Pkcs11Modules,
  type TokenSession,
  type WithSession,
} from './pkcs11-token.ts';

/** RSA by OAEP, and AES-256-GCM with a tag of 16 bytes at the end. PKCS#1 v1.5 is not offered: it tells of its padding. */
const MECHANISMS = ['RSA-OAEP', 'RSA-OAEP-256', 'A256GCM'] as const;
type MechanismName = (typeof MECHANISMS)[number];

const settingsSchema = z.strictObject({
  /** Which of the guest's tokens; absent: the one of `credential.json`. */
  token: z.string().optional(),
  /** `RSA-OAEP` is with SHA-1, as in RFC 7518: all that some tokens have. */
  mechanism: z.enum(MECHANISMS).default('RSA-OAEP-256'),
});
const cryptAnnotationsSchema = z.strictObject({ iv: base64Text.optional() });
/** CKA_LABEL of the key or the data object. */
const labelSchema = z.string().regex(/^[\x20-\x7e]{1,255}$/);

const IV_BYTES = 12;
const TAG_BITS = 128;
/** Which the package does not name. */
const CKZ_DATA_SPECIFIED = 1;
/** The largest RSA key has 2 KiB, and what is wrapped is a key. */
const MAX_OUTPUT_BYTES = 65_536;

/**
 * Keys and secrets of a PKCS#11 token (v2.40): a hardware security module, or a vendor's library in front of one. Keys are named
 * by their label, and so are data objects, whose value is a secret. The package pkcs11js is loaded with the first use. Its calls
 * but the operation itself run on the hub's own thread. Throws KmsError.
 */
export function createPkcs11Driver(context: KmsContext): Required<KmsDriver> {
  const modules: Pkcs11Modules = new Map();
  const load = async (members: object): Promise<[WithSession, MechanismName]> => {
    const { token, mechanism } = parseSettings(PKCS11_PROVIDER, settingsSchema, { ...members });
    return [await loadToken(context, modules, token), mechanism];
  };
  return {
    createDecrypter: async (settings) => decrypter(...(await load(settings))),
    createEncrypter: async (settings) => encrypter(...(await load(settings))),
    createGetter: async (settings) => getter((await load(settings))[0]),
  };
}

function decrypter(withSession: WithSession, name: MechanismName): Decrypter {
  return {
    decrypt: async (ciphertext, keyId, annotations) =>
      await withSession(async (session) => {
        const { library, module, handle } = session;
        const { iv } = parseAnnotations(PKCS11_PROVIDER, cryptAnnotationsSchema, annotations);
        const key = findKey(session, keyId, name, library.CKA_DECRYPT);
        module.C_DecryptInit(handle, mechanismOf(session, name, iv), key);
        const output = asBuffer(new Uint8Array(MAX_OUTPUT_BYTES));
        return Uint8Array.from(await module.C_DecryptAsync(handle, asBuffer(ciphertext), output));
      }),
  };
}

function encrypter(withSession: WithSession, name: MechanismName): Encrypter {
  return {
    encrypt: async (plaintext, keyId, annotations) =>
      await withSession(async (session) => {
        const { library, module, handle } = session;
        const iv = name === 'A256GCM' ? toBase64(randomBytes(IV_BYTES)) : undefined;
        const key = findKey(session, keyId, name, library.CKA_ENCRYPT);
        module.C_EncryptInit(handle, mechanismOf(session, name, iv), key);
        const output = asBuffer(new Uint8Array(MAX_OUTPUT_BYTES));
        const ciphertext = Uint8Array.from(await module.C_EncryptAsync(handle, asBuffer(plaintext), output));
        const added: Annotations = iv === undefined ? {} : { iv };
        return { ciphertext, keyId, annotations: { ...annotations, ...added } };
      }),
  };
}

function getter(withSession: WithSession): SecretGetter {
  return {
    getSecret: async (name) =>
      await withSession(async (session) => {
        const { library, module, handle } = session;
        const label = parseName('a data object', labelSchema, name);
        const object = findOne(session, [
          { type: library.CKA_CLASS, value: library.CKO_DATA },
          { type: library.CKA_LABEL, value: label },
        ]);
        const [attribute] = module.C_GetAttributeValue(handle, object, [{ type: library.CKA_VALUE }]);
        return Uint8Array.from(attribute?.value as Uint8Array);
      }),
  };
}

function findKey(session: TokenSession, keyId: string, name: MechanismName, usage: number): Handle {
  const { library } = session;
  const label = parseName('a key of the token', labelSchema, keyId);
  const rsaClass = usage === library.CKA_ENCRYPT ? library.CKO_PUBLIC_KEY : library.CKO_PRIVATE_KEY;
  const [kind, type] =
    name === 'A256GCM' ? [library.CKO_SECRET_KEY, library.CKK_AES] : [rsaClass, library.CKK_RSA];
  return findOne(session, [
    { type: library.CKA_CLASS, value: kind },
    { type: library.CKA_KEY_TYPE, value: type },
    { type: library.CKA_LABEL, value: label },
    { type: usage, value: true },
  ]);
}

/** Two objects of one name are a mistake, and not the first of them. */
function findOne({ module, handle }: TokenSession, template: Template): Handle {
  module.C_FindObjectsInit(handle, template);
  const found = module.C_FindObjects(handle, 2);
  module.C_FindObjectsFinal(handle);
  const [object] = found;
  if (object !== undefined && found.length === 1) return object;
  throw new KmsError(
    'KMS_NOT_FOUND',
    `PKCS#11: expected one object of this label and use, got ${found.length === 0 ? 'none' : 'several'}`,
  );
}

function mechanismOf({ library }: TokenSession, name: MechanismName, iv: string | undefined): Mechanism {
  switch (name) {
    case 'RSA-OAEP':
      return oaep(library, library.CKM_SHA_1, library.CKG_MGF1_SHA1);
    case 'RSA-OAEP-256':
      return oaep(library, library.CKM_SHA256, library.CKG_MGF1_SHA256);
    case 'A256GCM': {
      const bytes = fromBase64(iv ?? '');
      if (bytes.byteLength !== IV_BYTES) {
        throw new KmsError(
          'PROVIDER_ANNOTATIONS_MALFORMED',
          `annotations of pkcs11: expected 'iv' of ${IV_BYTES} bytes beside A256GCM, got ${bytes.byteLength}`,
        );
      }
      const parameter: AesGCM = {
        type: library.CK_PARAMS_AES_GCM,
        iv: asBuffer(bytes),
        ivBits: IV_BYTES * 8,
        tagBits: TAG_BITS,
      };
      return { mechanism: library.CKM_AES_GCM, parameter };
    }
  }
}

function oaep(library: TokenSession['library'], hashAlg: number, mgf: number): Mechanism {
  const parameter: RsaOAEP = { type: library.CK_PARAMS_RSA_OAEP, hashAlg, mgf, source: CKZ_DATA_SPECIFIED };
  return { mechanism: library.CKM_RSA_PKCS_OAEP, parameter };
}
