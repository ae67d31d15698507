import { z } from 'zod';
import { toBase64 } from '../../../../server/bytes/encoding.ts';
import { createAccessTokens } from '../access-tokens.ts';
import type { Decrypter, Encrypter, KmsDriver, SecretGetter } from '../kms.ts';
import { answeredBytes, answerMalformed, callKmsJson, type KmsService } from '../kms-call.ts';
import type { KmsContext } from '../kms-context.ts';
import { base64Text, parseAnnotations, parseName, parseSettings } from '../provider-members.ts';
import { crc32c } from './crc32c.ts';
import { GCP, type GcpProject, loadGcpProject } from './gcp-credential.ts';

const settingsSchema = z.strictObject({
  /** Which of the guest's service accounts; absent: the one of `credential.json`. */
  account: z.string().optional(),
});

const cryptAnnotationsSchema = z.strictObject({ additional_authenticated_data: base64Text.optional() });
const secretAnnotationsSchema = z.strictObject({
  version: z
    .string()
    .regex(/^(?:latest|[1-9][0-9]{0,18}|[A-Za-z][A-Za-z0-9_-]{0,62})$/)
    .default('latest'),
});

/** Some projects have a domain in front of their id, with a colon; elsewhere a colon begins an operation. */
const PROJECT = '[a-z0-9.:-]{1,128}';
const SEGMENT = '[A-Za-z0-9_.-]{1,128}';
const keyNameSchema = z
  .string()
  .regex(
    new RegExp(
      `^projects/${PROJECT}/locations/${SEGMENT}/keyRings/${SEGMENT}/cryptoKeys/${SEGMENT}(?:/cryptoKeyVersions/[1-9][0-9]{0,9})?$`,
    ),
  )
  .refine(hasNoDots);
const secretNameSchema = z
  .string()
  .regex(new RegExp(`^(?:projects/${PROJECT}/secrets/)?[A-Za-z0-9_-]{1,255}$`))
  .refine(hasNoDots);

/** Sums are 64-bit integers, which JSON of Google's carries as text. */
const checksum = z.union([z.string().regex(/^[0-9]{1,10}$/), z.number()]).transform(Number);
const decryptedSchema = z.object({ plaintext: z.string().default(''), plaintextCrc32c: checksum });
const encryptedSchema = z.object({
  ciphertext: z.string(),
  ciphertextCrc32c: checksum,
  verifiedPlaintextCrc32c: z.literal(true),
});
const secretSchema = z.object({ payload: z.object({ data: z.string(), dataCrc32c: checksum }) });

/**
 * Google Cloud KMS and Secret Manager, by their REST API: three requests of it do not need the vendor's packages, which bring
 * gRPC a second time. Throws KmsError.
 */
export function createGcpDriver(context: KmsContext): Required<KmsDriver> {
  const withToken = createAccessTokens(context.clock);
  const load = async (members: object): Promise<GcpProject> => {
    const { account } = parseSettings(GCP, settingsSchema, { ...members });
    return await loadGcpProject(context, account, withToken);
  };
  return {
    createDecrypter: async (settings) => decrypter(await load(settings)),
    createEncrypter: async (settings) => encrypter(await load(settings)),
    createGetter: async (settings) => getter(await load(settings)),
  };
}

/** A key's version is one of an asymmetric key; symmetric ones find theirs in the ciphertext. */
function decrypter({ keys, authorized }: GcpProject): Decrypter {
  return {
    async decrypt(ciphertext, keyId, annotations, signal) {
      const name = keyName(keyId);
      const operation = name.includes('/cryptoKeyVersions/') ? 'asymmetricDecrypt' : 'decrypt';
      const body = {
        ciphertext: toBase64(ciphertext),
        ciphertextCrc32c: crc32c(ciphertext).toString(),
        ...authenticatedData(annotations),
      };
      const reply = await authorized(
        async (headers) =>
          await callKmsJson(
            keys,
            { path: `/v1/${name}:${operation}`, headers, body, signal },
            decryptedSchema,
          ),
      );
      return checkedBytes(keys, 'plaintext', reply.plaintext, reply.plaintextCrc32c);
    },
  };
}

function encrypter({ keys, authorized }: GcpProject): Encrypter {
  return {
    async encrypt(plaintext, keyId, annotations, signal) {
      const name = keyName(keyId);
      const body = {
        plaintext: toBase64(plaintext),
        plaintextCrc32c: crc32c(plaintext).toString(),
        ...authenticatedData(annotations),
      };
      const reply = await authorized(
        async (headers) =>
          await callKmsJson(keys, { path: `/v1/${name}:encrypt`, headers, body, signal }, encryptedSchema),
      );
      const ciphertext = checkedBytes(keys, 'ciphertext', reply.ciphertext, reply.ciphertextCrc32c);
      return { ciphertext, keyId: name, annotations };
    },
  };
}

function getter({ id, secrets, authorized }: GcpProject): SecretGetter {
  return {
    async getSecret(name, annotations, signal) {
      const { version } = parseAnnotations(GCP, secretAnnotationsSchema, annotations);
      const secret = parseName('a secret of Google Secret Manager', secretNameSchema, name);
      const fullName = secret.startsWith('projects/') ? secret : `projects/${id}/secrets/${secret}`;
      const { payload } = await authorized(
        async (headers) =>
          await callKmsJson(
            secrets,
            { path: `/v1/${fullName}/versions/${version}:access`, headers, signal },
            secretSchema,
          ),
      );
      return checkedBytes(secrets, 'payload.data', payload.data, payload.dataCrc32c);
    },
  };
}

function authenticatedData(annotations: Parameters<Decrypter['decrypt']>[2]): object {
  const { additional_authenticated_data: data } = parseAnnotations(GCP, cryptAnnotationsSchema, annotations);
  return data === undefined ? {} : { additionalAuthenticatedData: data };
}

function checkedBytes(service: KmsService, member: string, text: string, sum: number): Uint8Array {
  const bytes = answeredBytes(service, text);
  if (crc32c(bytes) === sum) return bytes;
  throw answerMalformed(service.name, member);
}

function keyName(keyId: string): string {
  return parseName('a key of Google Cloud KMS', keyNameSchema, keyId);
}

function hasNoDots(name: string): boolean {
  return !name.split('/').some((segment) => segment === '.' || segment === '..');
}
