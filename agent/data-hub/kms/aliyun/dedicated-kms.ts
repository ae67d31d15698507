import { createHash, sign } from 'node:crypto';
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { z } from 'zod';
import { fromBase64, toBase64, toHex, toUtf8 } from '../../../../server/bytes/encoding.ts';
import {
  DecryptRequestSchema,
  DecryptResponseSchema,
  EncryptRequestSchema,
  EncryptResponseSchema,
  GetSecretValueRequestSchema,
  GetSecretValueResponseSchema,
} from '../../../rpc/gen/dedicated_kms_pb.ts';
import { fileNamePart } from '../credential-folder.ts';
import type { Annotations, Decrypter, Encrypter, SecretGetter } from '../kms.ts';
import { answerMalformed, callKms, type KmsRequest, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf } from '../kms-context.ts';
import { base64Text, parseAnnotations } from '../provider-members.ts';
import { ALIYUN, type AliyunAddresses } from './aliyun-addresses.ts';
import { type ClientKey, loadClientKey } from './client-key.ts';
import { secretAnnotationsSchema } from './secret-version.ts';

/** It becomes part of a host's name. */
export const clientKeySettingsSchema = z.object({
  client_key_id: z.string(),
  kms_instance_id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/),
});
const ivSchema = z.object({ iv: base64Text });

const API_VERSION = 'dkms-gcs-0.2';
const SIGNATURE_METHOD = 'RSA_PKCS1_SHA_256';
const CONTENT_TYPE = 'application/x-protobuf';
const ALGORITHM = 'AES_GCM';

/**
 * A dedicated instance of Alibaba Cloud's KMS: requests in protobuf, signed with a client key, to a server that the instance's
 * own authority vouches for, and no other. Throws KmsError.
 */
export async function openDedicatedKms(
  context: KmsContext,
  addresses: AliyunAddresses,
  settings: z.output<typeof clientKeySettingsSchema>,
): Promise<Decrypter & Encrypter & SecretGetter> {
  const { kms_instance_id: instance, client_key_id: keyId } = settings;
  const clientKey = await loadClientKey(context.credentials, keyId);
  const file = `PrivateKmsCA_${fileNamePart('kms_instance_id', instance)}.pem`;
  const ca = await context.credentials.readText(ALIYUN, file);
  const service: KmsService = {
    name: 'Aliyun’s dedicated KMS',
    server: serverOf(
      context,
      addresses.dedicated(instance),
      { ca, ca_mode: 'only' },
      { provider: ALIYUN, file },
    ),
    attempts: context.attempts,
  };
  return operationsOf({ service, clientKey, clock: context.clock });
}

interface Instance {
  readonly service: KmsService;
  readonly clientKey: ClientKey;
  readonly clock: () => Date;
}

function operationsOf(instance: Instance): Decrypter & Encrypter & SecretGetter {
  const { service } = instance;
  return {
    async decrypt(ciphertextBlob, keyId, annotations, signal) {
      const iv = fromBase64(parseAnnotations(ALIYUN, ivSchema, annotations).iv);
      const request = create(DecryptRequestSchema, { ciphertextBlob, keyId, iv, algorithm: ALGORITHM });
      const body = toBinary(DecryptRequestSchema, request);
      const { plaintext } = await call(instance, 'Decrypt', body, DecryptResponseSchema, signal);
      if (plaintext.byteLength === 0) throw answerMalformed(service.name, 'Plaintext');
      return plaintext;
    },
    async encrypt(plaintext, keyId, annotations, signal) {
      const request = create(EncryptRequestSchema, { plaintext, keyId, algorithm: ALGORITHM });
      const body = toBinary(EncryptRequestSchema, request);
      const { ciphertextBlob, iv } = await call(instance, 'Encrypt', body, EncryptResponseSchema, signal);
      if (ciphertextBlob.byteLength === 0) throw answerMalformed(service.name, 'CiphertextBlob');
      const added: Annotations = { iv: toBase64(iv) };
      return { ciphertext: ciphertextBlob, keyId, annotations: { ...annotations, ...added } };
    },
    async getSecret(secretName, annotations, signal) {
      const { version_stage: versionStage, version_id: versionId } = parseAnnotations(
        ALIYUN,
        secretAnnotationsSchema,
        annotations,
      );
      const message = { secretName, versionStage, versionId, fetchExtendedConfig: true };
      const body = toBinary(GetSecretValueRequestSchema, create(GetSecretValueRequestSchema, message));
      const { secretData } = await call(
        instance,
        'GetSecretValue',
        body,
        GetSecretValueResponseSchema,
        signal,
      );
      if (secretData === '') throw answerMalformed(service.name, 'SecretData');
      return toUtf8(secretData);
    },
  };
}

async function call<Schema extends DescMessage>(
  { service, clientKey, clock }: Instance,
  action: string,
  body: Uint8Array<ArrayBuffer>,
  schema: Schema,
  signal: AbortSignal | undefined,
): Promise<MessageShape<Schema>> {
  const { bytes } = await callKms(service, () => ({
    path: '/',
    headers: signedHeaders(clientKey, action, body, clock()),
    body,
    signal,
  }));
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw answerMalformed(service.name); // no cause: it may tell of a secret
  }
}

/** The signature covers the body by its digest, and the `x-kms-` headers in the order of their names. */
function signedHeaders(
  { id, key }: ClientKey,
  action: string,
  body: Uint8Array,
  at: Date,
): NonNullable<KmsRequest['headers']> {
  const digest = toHex(createHash('sha256').update(body).digest()).toUpperCase();
  const date = at.toUTCString();
  const named = {
    'x-kms-acccesskeyid': id, // as the service spells it
    'x-kms-apiname': action,
    'x-kms-apiversion': API_VERSION,
    'x-kms-signaturemethod': SIGNATURE_METHOD,
  };
  const lines = Object.entries(named).map(([name, value]) => `${name}:${value}\n`);
  const text = `POST\n${digest}\n${CONTENT_TYPE}\n${date}\n${lines.join('')}/`;
  return {
    accept: CONTENT_TYPE,
    'content-type': CONTENT_TYPE,
    'content-sha256': digest,
    date,
    ...named,
    authorization: `Bearer ${toBase64(sign('sha256', toUtf8(text), key))}`,
  };
}
