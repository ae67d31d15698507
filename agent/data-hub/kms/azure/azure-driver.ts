import { z } from 'zod';
import { fromBase64, toBase64Url, toUtf8 } from '../../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { createAccessTokens } from '../access-tokens.ts';
import { type Decrypter, type Encrypter, type KmsDriver, KmsError, type SecretGetter } from '../kms.ts';
import { answeredBytes, answerMalformed, callKmsJson } from '../kms-call.ts';
import type { KmsContext } from '../kms-context.ts';
import { parseAnnotations, parseSettings } from '../provider-members.ts';
import { AZURE, type KeyVault, loadKeyVault } from './azure-credential.ts';

/** RSA keys by OAEP; A256KW with the AES keys of managed HSMs, which only wrap. RSA1_5 is not offered. */
const ALGORITHMS = ['RSA-OAEP-256', 'RSA-OAEP', 'A256KW'] as const;

const settingsSchema = z.strictObject({
  /** Which of the guest's vaults; absent: the one of `credential.json`. */
  vault: z.string().optional(),
  algorithm: z.enum(ALGORITHMS).default('RSA-OAEP-256'),
  /** A key's permissions name one or the other; what they do is the same. */
  operation: z.enum(['decrypt', 'unwrap']).default('decrypt'),
});
type AzureSettings = z.output<typeof settingsSchema>;

const secretAnnotationsSchema = z.strictObject({
  version: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** Secrets are text: binary ones are kept in base64. */
  encoding: z.enum(['utf-8', 'base64']).default('utf-8'),
});

const operatedSchema = z.object({ kid: z.string(), value: z.string() });
const secretSchema = z.object({ value: z.string() });

const API_VERSION = '7.4';
/** `<name>` or `<name>/<version>`, with the vault's address in front or not. */
const OBJECT_NAME = /^[A-Za-z0-9-]{1,127}(?:\/[0-9a-f]{32})?$/;

/**
 * Azure Key Vault and Managed HSM, by their REST API: three requests of it do not need the vendor's packages. Throws KmsError.
 */
export function createAzureDriver(context: KmsContext): Required<KmsDriver> {
  const withToken = createAccessTokens(context.clock);
  const load = async (members: object): Promise<[KeyVault, AzureSettings]> => {
    const settings = parseSettings(AZURE, settingsSchema, { ...members });
    return [await loadKeyVault(context, settings.vault, withToken), settings];
  };
  return {
    createDecrypter: async (settings) => decrypter(...(await load(settings))),
    createEncrypter: async (settings) => encrypter(...(await load(settings))),
    createGetter: async (settings) => getter((await load(settings))[0]),
  };
}

function decrypter(vault: KeyVault, { algorithm, operation }: AzureSettings): Decrypter {
  return {
    async decrypt(ciphertext, keyId, _annotations, signal) {
      const path = keyPath(vault, keyId, operation === 'unwrap' ? 'unwrapkey' : 'decrypt');
      const { value } = await operate(
        vault,
        path,
        { alg: algorithm, value: toBase64Url(ciphertext) },
        signal,
      );
      return answeredBytes(vault.service, value, 'base64url');
    },
  };
}

function encrypter(vault: KeyVault, { algorithm, operation }: AzureSettings): Encrypter {
  return {
    async encrypt(plaintext, keyId, annotations, signal) {
      const path = keyPath(vault, keyId, operation === 'unwrap' ? 'wrapkey' : 'encrypt');
      const answer = await operate(vault, path, { alg: algorithm, value: toBase64Url(plaintext) }, signal);
      // The version that has encrypted: without it a vault decrypts with the newest.
      const [name = '', version = ''] = objectName(vault, keyId, 'keys').split('/');
      const versionNow = answer.kid.split('/').at(-1) ?? version;
      return {
        ciphertext: answeredBytes(vault.service, answer.value, 'base64url'),
        keyId: `${name}/${versionNow}`,
        annotations,
      };
    },
  };
}

function getter(vault: KeyVault): SecretGetter {
  return {
    async getSecret(name, annotations, signal) {
      const { version, encoding } = parseAnnotations(AZURE, secretAnnotationsSchema, annotations);
      const object = objectName(vault, name, 'secrets');
      const path = version === undefined ? object : `${object.split('/')[0] ?? ''}/${version}`;
      const { value } = await vault.authorized(
        async (headers) =>
          await callKmsJson(
            vault.service,
            { path: `/secrets/${path}?api-version=${API_VERSION}`, headers, signal },
            secretSchema,
          ),
      );
      return encoding === 'utf-8' ? toUtf8(value) : decodeSecret(value);
    },
  };
}

async function operate(
  { service, authorized }: KeyVault,
  path: string,
  body: { readonly alg: string; readonly value: string },
  signal: AbortSignal | undefined,
): Promise<z.output<typeof operatedSchema>> {
  return await authorized(
    async (headers) => await callKmsJson(service, { path, headers, body, signal }, operatedSchema),
  );
}

function keyPath(vault: KeyVault, keyId: string, operation: string): string {
  return `/keys/${objectName(vault, keyId, 'keys')}/${operation}?api-version=${API_VERSION}`;
}

/** An identifier that is a URL has to be of the configured vault: the guest's token is for nobody else. */
function objectName({ service }: KeyVault, id: string, kind: 'keys' | 'secrets'): string {
  const prefix = `${service.server.baseUrl}/${kind}/`;
  const name = id.startsWith(prefix) ? id.slice(prefix.length) : id;
  if (OBJECT_NAME.test(name)) return name;
  throw new KmsError(
    'KMS_NAME_REFUSED',
    `expected a name in the configured Azure Key Vault, with a version or without, got something else`,
  );
}

function decodeSecret(value: string): Uint8Array {
  try {
    return fromBase64(value);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw answerMalformed('Azure Key Vault');
  }
}
