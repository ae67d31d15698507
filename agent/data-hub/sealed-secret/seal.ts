import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { toBase64, toBase64Url, toUtf8 } from '../../../server/bytes/encoding.ts';
import { sealContent } from '../content-cipher.ts';
import type { Annotations, ProviderSettings } from '../kms/kms.ts';
import { formatSealedSecret } from './compact-form.ts';
import { parseSecretPayload, type SecretDocument } from './secret-payload.ts';

/** Who signs. */
export interface SecretSigner {
  /** A resource URI, or the name of a file in the guest's folder of keys. */
  readonly kid: string;
  /** P-256. */
  readonly key: KeyObject;
}

/** The provider, as the guest will need it. */
export interface SecretProvider {
  readonly provider: string;
  readonly settings?: ProviderSettings;
  readonly annotations?: Annotations;
}

/** Encrypts the content's key; returns what the guest's Decrypter takes, with annotations that it then needs. */
export type EncryptKey = (
  key: Uint8Array,
) => Promise<{ readonly ciphertext: Uint8Array; readonly keyId: string; readonly annotations?: Annotations }>;

const KEY_BYTES = 32;
const IV_BYTES = 12;

/** Seals the name of a secret that a provider keeps. Throws SealedSecretError SEALED_SECRET_PAYLOAD_MALFORMED. */
export function sealVault(name: string, provider: SecretProvider, signer: SecretSigner): string {
  return signDocument(
    { version: '0.1.0', type: 'vault', name, ...providerMembers(provider, provider.annotations) },
    signer,
  );
}

/** Seals content under a new key, which the provider encrypts. Throws what `encryptKey` throws. */
export async function sealEnvelope(
  plaintext: Uint8Array,
  encryptKey: EncryptKey,
  provider: SecretProvider,
  signer: SecretSigner,
): Promise<string> {
  const key = randomBytes(KEY_BYTES);
  const { wrapType, iv, ciphertext } = sealContent(plaintext, key, randomBytes(IV_BYTES));
  const encrypted = await encryptKey(key);
  key.fill(0);
  return signDocument(
    {
      version: '0.1.0',
      type: 'envelope',
      key_id: encrypted.keyId,
      encrypted_key: toBase64(encrypted.ciphertext),
      encrypted_data: toBase64(ciphertext),
      wrap_type: wrapType,
      iv: toBase64(iv),
      ...providerMembers(provider, { ...provider.annotations, ...encrypted.annotations }),
    },
    signer,
  );
}

/** Both are always written: upstream's reader demands them. */
function providerMembers(
  { provider, settings = {} }: SecretProvider,
  annotations: Annotations = {},
): Pick<SecretDocument, 'provider' | 'provider_settings' | 'annotations'> {
  return { provider, provider_settings: settings, annotations };
}

function signDocument(document: SecretDocument, { kid, key }: SecretSigner): string {
  const payload = toUtf8(JSON.stringify(document));
  parseSecretPayload(payload); // what no guest would read is not made
  const header = toUtf8(JSON.stringify({ alg: 'ES256', kid }));
  const signedText = `${toBase64Url(header)}.${toBase64Url(payload)}`;
  const signature = sign('sha256', toUtf8(signedText), { key, dsaEncoding: 'ieee-p1363' });
  return formatSealedSecret(signedText, toBase64Url(signature));
}
