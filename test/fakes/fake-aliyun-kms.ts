import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DecryptRequestSchema,
  DecryptResponseSchema,
  EncryptRequestSchema,
  EncryptResponseSchema,
  ErrorSchema,
  GetSecretValueRequestSchema,
  GetSecretValueResponseSchema,
} from '../../agent/rpc/gen/dedicated_kms_pb.ts';
import type { FakeServerCertificate } from './fake-tls.ts';
import { createMoods, type Moods } from './kms-moods.ts';
import { json, type ScriptedReply, type SeenRequest, startScriptedServer } from './scripted-server.ts';

export interface FakeAliyunService {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly mood: Moods['set'];
  close(): Promise<void>;
}

export const ALIYUN_CLIENT_KEY_ID = 'KAAP.guest';
export const ALIYUN_STS = {
  id: 'STS.guest',
  secret: 'an access key secret',
  token: 'a security token',
} as const;
export const ALIYUN_ROLE = 'guest-role';
const KEY_ID = 'key-1';

/** A dedicated instance of Alibaba Cloud's KMS, over TLS, which checks each request's signature. */
export async function startFakeDedicatedKms(
  clientKey: KeyObject,
  tls: FakeServerCertificate,
): Promise<FakeAliyunService> {
  const key = randomBytes(32);

  function answer(request: SeenRequest): ScriptedReply {
    if (!isSigned(request, clientKey)) return refusal(401, 'SignatureNotMatch');
    switch (request.headers['x-kms-apiname']) {
      case 'Encrypt':
        return encrypt(request.bytes);
      case 'Decrypt':
        return decrypt(request.bytes);
      case 'GetSecretValue':
        return secret(request.bytes);
      case undefined:
      default:
        return refusal(400, 'InvalidParam');
    }
  }

  function encrypt(bytes: Uint8Array): ScriptedReply {
    const { keyId, plaintext, algorithm } = fromBinary(EncryptRequestSchema, bytes);
    if (keyId !== KEY_ID) return refusal(404, 'Forbidden.KeyNotFound');
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    const ciphertextBlob = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    const response = create(EncryptResponseSchema, { keyId, ciphertextBlob, iv, algorithm, requestId: '1' });
    return protobuf(toBinary(EncryptResponseSchema, response));
  }

  function decrypt(bytes: Uint8Array): ScriptedReply {
    const { keyId, ciphertextBlob, iv, algorithm } = fromBinary(DecryptRequestSchema, bytes);
    if (keyId !== KEY_ID || algorithm !== 'AES_GCM') return refusal(404, 'Forbidden.KeyNotFound');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, iv);
      decipher.setAuthTag(ciphertextBlob.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(ciphertextBlob.subarray(0, -16)), decipher.final()]);
      return protobuf(toBinary(DecryptResponseSchema, create(DecryptResponseSchema, { keyId, plaintext })));
    } catch {
      return refusal(400, 'InvalidParameter');
    }
  }

  function secret(bytes: Uint8Array): ScriptedReply {
    const { secretName, versionId } = fromBinary(GetSecretValueRequestSchema, bytes);
    if (secretName !== 'database') return refusal(404, 'Forbidden.ResourceNotFound');
    const secretData = versionId === '' ? 'the newest' : `version ${versionId}`;
    const response = create(GetSecretValueResponseSchema, { secretName, secretData, secretDataType: 'text' });
    return protobuf(toBinary(GetSecretValueResponseSchema, response));
  }

  return await start(answer, tls);
}

/** The shared service and, at the same address, what the machine's host says of a role. */
export async function startFakeOpenApi(): Promise<FakeAliyunService> {
  const nonces = new Set<string>();
  return await start(({ method, path }) => {
    const url = new URL(path, 'http://aliyun.invalid');
    if (url.pathname === `/latest/meta-data/ram/security-credentials/${ALIYUN_ROLE}`) {
      const { id, secret, token } = ALIYUN_STS;
      return json({
        Code: 'Success',
        AccessKeyId: id,
        AccessKeySecret: secret,
        SecurityToken: token,
        Expiration: '',
      });
    }
    const nonce = url.searchParams.get('SignatureNonce') ?? '';
    if (nonces.has(nonce) || nonce === '') return openApiRefusal(400, 'SignatureNonceUsed');
    nonces.add(nonce);
    if (url.searchParams.get('AccessKeyId') !== ALIYUN_STS.id)
      return openApiRefusal(404, 'InvalidAccessKeyId.NotFound');
    if (!isQuerySigned(method, url)) return openApiRefusal(400, 'SignatureDoesNotMatch');
    if (url.searchParams.get('SecretName') !== 'database ~*')
      return openApiRefusal(404, 'Forbidden.ResourceNotFound');
    const stage = url.searchParams.get('VersionStage');
    return json({ SecretName: 'database', SecretDataType: 'text', SecretData: `stage ${stage ?? ''}` });
  });
}

async function start(
  answer: (request: SeenRequest) => ScriptedReply,
  tls?: FakeServerCertificate,
): Promise<FakeAliyunService> {
  const moods = createMoods(answer);
  const server = await startScriptedServer(moods.script, tls === undefined ? {} : { tls });
  return { url: server.url, seen: server.seen, mood: moods.set, close: server.close };
}

function isSigned({ headers, bytes, method, path }: SeenRequest, clientKey: KeyObject): boolean {
  const digest = createHash('sha256').update(bytes).digest('hex').toUpperCase();
  const lines = Object.keys(headers)
    .filter((name) => name.startsWith('x-kms-'))
    .sort()
    .map((name) => `${name}:${String(headers[name])}\n`);
  const text = `${method}\n${digest}\n${headers['content-type'] ?? ''}\n${headers.date ?? ''}\n${lines.join('')}${path}`;
  const [scheme, signature = ''] = (headers.authorization ?? '').split(' ');
  return (
    scheme === 'Bearer' &&
    headers['content-sha256'] === digest &&
    headers['x-kms-acccesskeyid'] === ALIYUN_CLIENT_KEY_ID &&
    headers['x-kms-apiversion'] === 'dkms-gcs-0.2' &&
    verify('sha256', Buffer.from(text), clientKey, Buffer.from(signature, 'base64'))
  );
}

/** As the service's documents put it: by the parameters that it has read, not by the query as it came. */
function isQuerySigned(method: string, url: URL): boolean {
  const encode = (text: string): string =>
    new URLSearchParams({ x: text })
      .toString()
      .slice(2)
      .replaceAll('+', '%20')
      .replaceAll('*', '%2A')
      .replaceAll('%7E', '~');
  const members = [...url.searchParams]
    .filter(([name]) => name !== 'Signature')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const query = members.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const text = `${method}&%2F&${encode(query)}`;
  const expected = createHmac('sha1', `${ALIYUN_STS.secret}&`).update(text).digest('base64');
  return (
    url.searchParams.get('Signature') === expected &&
    url.searchParams.get('SecurityToken') === ALIYUN_STS.token
  );
}

function protobuf(body: Uint8Array): ScriptedReply {
  return { headers: { 'content-type': 'application/x-protobuf' }, body };
}

function refusal(statusCode: number, errorCode: string): ScriptedReply {
  const error = create(ErrorSchema, { statusCode, errorCode, errorMessage: 'not with this key' });
  return { status: statusCode, ...protobuf(toBinary(ErrorSchema, error)) };
}

function openApiRefusal(status: number, Code: string): ScriptedReply {
  return json({ Code, Message: `not with ${ALIYUN_STS.secret}`, RequestId: '1' }, status);
}
