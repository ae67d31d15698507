import { z } from 'zod';
import { toUtf8 } from '../../../../server/bytes/encoding.ts';
import type { Decrypter, Encrypter, KmsDriver, ProviderSettings, SecretGetter } from '../kms.ts';
import { answerMalformed } from '../kms-call.ts';
import type { KmsContext } from '../kms-context.ts';
import { parseAnnotations, parseName, parseSettings } from '../provider-members.ts';
import { AWS, type AwsKms, type AwsSecrets, createAwsKms, createAwsSecrets } from './aws-credential.ts';
import { awsFailure } from './aws-failure.ts';

/** It becomes part of a host's name. */
const settingsSchema = z.object({ region: z.string().regex(/^[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}$/) });
const cryptAnnotationsSchema = z.object({
  encryption_context: z.record(z.string().min(1).max(8192), z.string().max(8192)).default({}),
});
/** Upstream writes empty text where nothing is said. */
const secretAnnotationsSchema = z.object({
  version_id: z.string().max(64).default(''),
  version_stage: z.string().max(256).default(''),
});
/** Ids, aliases and ARNs. */
const nameSchema = z.string().regex(/^[A-Za-z0-9_+=.@!:/-]{1,2048}$/);

const DEADLINE_MILLISECONDS = 20_000;

/**
 * AWS KMS and Secrets Manager by the vendor's SDK, which is loaded with the first use. The encryption context is sent when
 * encrypting too: upstream sends it only when decrypting, so that nothing that has one ever decrypts. Throws KmsError.
 */
export function createAwsDriver(context: KmsContext): Required<KmsDriver> {
  const regionOf = (settings: ProviderSettings): string =>
    parseSettings(AWS, settingsSchema, settings).region;
  return {
    createDecrypter: async (settings) => decrypter(context, await createAwsKms(context, regionOf(settings))),
    createEncrypter: async (settings) => encrypter(context, await createAwsKms(context, regionOf(settings))),
    createGetter: async (settings) => getter(context, await createAwsSecrets(context, regionOf(settings))),
  };
}

function decrypter(context: KmsContext, { sdk, client }: AwsKms): Decrypter {
  return {
    async decrypt(ciphertext, keyId, annotations, signal) {
      const command = new sdk.DecryptCommand({
        KeyId: keyName(keyId),
        CiphertextBlob: ciphertext,
        ...encryptionContext(annotations),
      });
      const { Plaintext: plaintext } = await sent(
        context,
        async (options) => await client.send(command, options),
        signal,
      );
      if (plaintext === undefined) throw answerMalformed('AWS KMS', 'Plaintext');
      return Uint8Array.from(plaintext);
    },
  };
}

function encrypter(context: KmsContext, { sdk, client }: AwsKms): Encrypter {
  return {
    async encrypt(plaintext, keyId, annotations, signal) {
      const command = new sdk.EncryptCommand({
        KeyId: keyName(keyId),
        Plaintext: plaintext,
        ...encryptionContext(annotations),
      });
      const { CiphertextBlob: ciphertext } = await sent(
        context,
        async (options) => await client.send(command, options),
        signal,
      );
      if (ciphertext === undefined) throw answerMalformed('AWS KMS', 'CiphertextBlob');
      return { ciphertext: Uint8Array.from(ciphertext), keyId, annotations };
    },
  };
}

function getter(context: KmsContext, { sdk, client }: AwsSecrets): SecretGetter {
  return {
    async getSecret(name, annotations, signal) {
      const { version_id: id, version_stage: stage } = parseAnnotations(
        AWS,
        secretAnnotationsSchema,
        annotations,
      );
      const command = new sdk.GetSecretValueCommand({
        SecretId: parseName('a secret of AWS Secrets Manager', nameSchema, name),
        ...(id !== '' && { VersionId: id }),
        ...(stage !== '' && { VersionStage: stage }),
      });
      const { SecretString: text, SecretBinary: bytes } = await sent(
        context,
        async (options) => await client.send(command, options),
        signal,
      );
      if (text !== undefined) return toUtf8(text);
      if (bytes !== undefined) return Uint8Array.from(bytes);
      throw answerMalformed('AWS Secrets Manager', 'SecretString');
    },
  };
}

/** With the SDK's own retries, and a deadline over all of them. */
async function sent<T>(
  { attempts }: KmsContext,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const deadline = AbortSignal.timeout(attempts?.deadlineMilliseconds ?? DEADLINE_MILLISECONDS);
  try {
    return await send({ abortSignal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]) });
  } catch (error) {
    throw awsFailure(error);
  }
}

function encryptionContext(annotations: Parameters<Decrypter['decrypt']>[2]): object {
  const { encryption_context: context } = parseAnnotations(AWS, cryptAnnotationsSchema, annotations);
  return Object.keys(context).length === 0 ? {} : { EncryptionContext: context };
}

function keyName(keyId: string): string {
  return parseName('a key of AWS KMS', nameSchema, keyId);
}
