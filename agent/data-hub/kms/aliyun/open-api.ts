import { createHmac, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { fromUtf8, toBase64, toUtf8 } from '../../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { parseJson } from '../../../../server/json/strict-json.ts';
import type { HttpReply } from '../../../http/exchange.ts';
import type { KmsErrorCode, SecretGetter } from '../kms.ts';
import { callKmsJson, type KmsRequest, type KmsService } from '../kms-call.ts';
import { parseAnnotations } from '../provider-members.ts';
import { ALIYUN } from './aliyun-addresses.ts';
import { secretAnnotationsSchema } from './secret-version.ts';

/** Temporary credentials of Alibaba Cloud's security token service. */
export interface StsCredential {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
}

const API_VERSION = '2016-01-20';
const secretSchema = z.object({
  SecretData: z.string().min(1),
  SecretDataType: z.enum(['text', 'binary']).default('text'),
});
const refusalSchema = z.object({ Code: z.string() });

/**
 * Secrets of the shared service, which is asked with signed queries and does not know client keys. A credential is asked for
 * with each secret. Throws KmsError.
 */
export function createOpenApiGetter(
  service: Omit<KmsService, 'refusalOf'>,
  regionId: string,
  clock: () => Date,
  credential: (signal: AbortSignal | undefined) => Promise<StsCredential>,
): SecretGetter {
  return {
    async getSecret(name, annotations, signal) {
      const { version_stage: stage, version_id: id } = parseAnnotations(
        ALIYUN,
        secretAnnotationsSchema,
        annotations,
      );
      const action = {
        Action: 'GetSecretValue',
        FetchExtendedConfig: 'true',
        SecretName: name,
        VersionId: id,
        VersionStage: stage,
      };
      const sts = await credential(signal);
      const request = (): KmsRequest => ({
        path: `/?${signedQuery({ ...action, RegionId: regionId }, sts, clock())}`,
        headers: { 'x-acs-version': API_VERSION, 'x-acs-action': action.Action },
        body: new Uint8Array(0),
        signal,
      });
      const { SecretData } = await callKmsJson(
        { ...service, refusalOf: codeOfRefusal },
        request,
        secretSchema,
      );
      return toUtf8(SecretData);
    },
  };
}

/** RPC signature 1.0: https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism */
function signedQuery(
  action: Readonly<Record<string, string>>,
  { accessKeyId, accessKeySecret, securityToken }: StsCredential,
  at: Date,
): string {
  const members = {
    ...action,
    AccessKeyId: accessKeyId,
    Format: 'json',
    SecurityToken: securityToken,
    SignatureMethod: 'HMAC-SHA1',
    SignatureNonce: randomUUID(),
    SignatureType: '',
    SignatureVersion: '1.0',
    Timestamp: at.toISOString().replace(/\.[0-9]{3}Z$/, 'Z'),
    Version: API_VERSION,
  };
  const query = Object.entries(members)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .join('&');
  const text = `POST&%2F&${percentEncode(query)}`;
  const signature = createHmac('sha1', `${accessKeySecret}&`).update(text).digest();
  return `${query}&Signature=${percentEncode(toBase64(signature))}`;
}

/** RFC 3986: all but the unreserved characters. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Statuses of this service say little: an unknown access key is a 404, an expired token and too many requests are a 400. */
function codeOfRefusal(reply: HttpReply): KmsErrorCode | undefined {
  const code = readCode(reply);
  if (code === undefined) return undefined;
  if (code.startsWith('Throttling')) return 'KMS_UNAVAILABLE';
  if (/^(?:InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|IncompleteSignature)/.test(code)) {
    return 'KMS_DENIED';
  }
  return code === 'Forbidden.ResourceNotFound' ? 'KMS_NOT_FOUND' : undefined;
}

function readCode({ bytes }: HttpReply): string | undefined {
  try {
    const parsed = refusalSchema.safeParse(parseJson(fromUtf8(bytes)));
    return parsed.success ? parsed.data.Code : undefined;
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return undefined; // a proxy's page: the status says enough
  }
}
