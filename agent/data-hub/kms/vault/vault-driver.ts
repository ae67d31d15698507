import { z } from 'zod';
import { toBase64, toUtf8 } from '../../../../server/bytes/encoding.ts';
import type { Json } from '../../../../server/claims/claims.ts';
import { createAccessTokens } from '../access-tokens.ts';
import { type Decrypter, type Encrypter, type KmsDriver, KmsError, type SecretGetter } from '../kms.ts';
import { answeredBytes, answerMalformed, callKmsJson } from '../kms-call.ts';
import type { KmsContext } from '../kms-context.ts';
import {
  base64Text,
  parseAnnotations,
  parseName,
  parseSettings,
  pathSegment,
  pathSegments,
  textCiphertext,
} from '../provider-members.ts';
import { loadVaultServer, VAULT, type VaultServer } from './vault-credential.ts';

const settingsSchema = z.strictObject({
  /** Which of the guest's servers; absent: the one of `credential.json`. */
  server: z.string().optional(),
  /** Where the engine is mounted: `transit`, or `secret` for secrets. */
  mount: pathSegments.optional(),
  kv_version: z.union([z.literal(1), z.literal(2)]).default(2),
});
type VaultSettings = z.output<typeof settingsSchema>;

/** Of transit keys with derivation, and of ciphers that authenticate more than the ciphertext. */
const cryptAnnotationsSchema = z.strictObject({
  context: base64Text.optional(),
  associated_data: base64Text.optional(),
});
const secretAnnotationsSchema = z.strictObject({
  /** The member whose text is the secret; absent: all of them, as a JSON object. */
  field: z.string().min(1).max(256).optional(),
  /** Of version 2 of the engine; absent: the newest. */
  version: z.int().min(1).optional(),
});

const decryptedSchema = z.object({ data: z.object({ plaintext: z.string() }) });
const encryptedSchema = z.object({ data: z.object({ ciphertext: z.string().min(1) }) });
const members = z.record(
  z.string(),
  z.custom<Json>((value) => value !== undefined),
);
const secretSchema = {
  1: z.object({ data: members }).transform(({ data }) => data),
  2: z.object({ data: z.object({ data: members }) }).transform(({ data }) => data.data),
} as const;

/**
 * HashiCorp Vault and OpenBao, by their HTTP API: keys of the transit engine, secrets of the KV engine, both versions. What
 * `sealed` calls a ciphertext is the engine's text, `vault:v1:…`. Throws KmsError.
 */
export function createVaultDriver(context: KmsContext): Required<KmsDriver> {
  const withToken = createAccessTokens(context.clock);
  const load = async (members: object): Promise<[VaultServer, VaultSettings]> => {
    const settings = parseSettings(VAULT, settingsSchema, { ...members });
    return [await loadVaultServer(context, settings.server, withToken), settings];
  };
  return {
    createDecrypter: async (settings) => decrypter(...(await load(settings))),
    createEncrypter: async (settings) => encrypter(...(await load(settings))),
    createGetter: async (settings) => getter(...(await load(settings))),
  };
}

function decrypter({ service, authorized }: VaultServer, { mount = 'transit' }: VaultSettings): Decrypter {
  return {
    async decrypt(ciphertext, keyId, annotations, signal) {
      const path = `/v1/${mount}/decrypt/${keyName(keyId)}`;
      const body = {
        ...parseAnnotations(VAULT, cryptAnnotationsSchema, annotations),
        ciphertext: textCiphertext(VAULT, ciphertext),
      };
      const { data } = await authorized(
        async (headers) => await callKmsJson(service, { path, headers, body, signal }, decryptedSchema),
      );
      return answeredBytes(service, data.plaintext);
    },
  };
}

function encrypter({ service, authorized }: VaultServer, { mount = 'transit' }: VaultSettings): Encrypter {
  return {
    async encrypt(plaintext, keyId, annotations, signal) {
      const path = `/v1/${mount}/encrypt/${keyName(keyId)}`;
      const body = {
        ...parseAnnotations(VAULT, cryptAnnotationsSchema, annotations),
        plaintext: toBase64(plaintext),
      };
      const { data } = await authorized(
        async (headers) => await callKmsJson(service, { path, headers, body, signal }, encryptedSchema),
      );
      return { ciphertext: toUtf8(data.ciphertext), keyId, annotations };
    },
  };
}

function getter({ service, authorized }: VaultServer, settings: VaultSettings): SecretGetter {
  const { mount = 'secret', kv_version: engine } = settings;
  return {
    async getSecret(name, annotations, signal) {
      const { field, version } = parseAnnotations(VAULT, secretAnnotationsSchema, annotations);
      const path = parseName('a secret of Vault', pathSegments, name);
      const query = version === undefined ? '' : `?version=${version}`;
      const request = {
        path: engine === 2 ? `/v1/${mount}/data/${path}${query}` : `/v1/${mount}/${path}`,
        signal,
      };
      const secret = await authorized(
        async (headers) => await callKmsJson(service, { ...request, headers }, secretSchema[engine]),
      );
      return field === undefined ? toUtf8(JSON.stringify(secret)) : fieldOf(secret, field);
    },
  };
}

function fieldOf(secret: Readonly<Record<string, Json>>, field: string): Uint8Array {
  const value = secret[field];
  if (value === undefined) {
    throw new KmsError(
      'KMS_NOT_FOUND',
      'Vault: expected a secret with the member that is asked for, got none',
    );
  }
  if (typeof value !== 'string') throw answerMalformed('Vault');
  return toUtf8(value);
}

function keyName(keyId: string): string {
  return parseName('a key of Vault', pathSegment, keyId);
}
