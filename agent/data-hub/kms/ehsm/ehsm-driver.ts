import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { toBase64, toHex, toUtf8 } from '../../../../server/bytes/encoding.ts';
import { fileNamePart, malformed, readCredential } from '../credential-folder.ts';
import { type Decrypter, type Encrypter, type KmsDriver, KmsError, type ProviderSettings } from '../kms.ts';
import { answeredBytes, callKmsJson, type KmsRequest, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf, trustMembers } from '../kms-context.ts';
import {
  base64Text,
  parseAnnotations,
  parseName,
  parseSettings,
  textCiphertext,
} from '../provider-members.ts';

const EHSM = 'ehsm';

const settingsSchema = z.object({ app_id: z.string(), endpoint: z.string() });
const credentialSchema = z.object({
  AppId: z.string().min(1).max(128),
  ApiKey: z.string().min(1).max(256),
  /** Ours: see `openApplication`. */
  Endpoint: z.string().optional(),
  ...trustMembers,
});
const annotationsSchema = z.object({ aad: base64Text.exactOptional() });
const keyIdSchema = z.string().regex(/^[A-Za-z0-9+/=_-]{1,2048}$/);

/** The service answers 200 over HTTP to everything that it has read, and the rest inside. */
const answerSchema = z.object({ code: z.int() });
const decryptedSchema = z.object({ result: z.object({ plaintext: z.string() }) });
const encryptedSchema = z.object({ result: z.object({ ciphertext: z.string().min(1) }) });

const NONCE_BYTES = 16;

/** An application of one server, with the key that signs its requests. */
interface Application {
  readonly service: KmsService;
  readonly appId: string;
  readonly apiKey: string;
  readonly clock: () => Date;
}

/**
 * Intel's eHSM-KMS (REST API, docs/API_Reference.md of intel/ehsm). Certificates are checked, which the vendor's client does
 * not: a server with one of its own needs `ca` or `pins` in the credential. Throws KmsError.
 */
export function createEhsmDriver(
  context: KmsContext,
): Required<Pick<KmsDriver, 'createDecrypter' | 'createEncrypter'>> {
  return {
    createDecrypter: async (settings) => decrypter(await openApplication(context, settings)),
    createEncrypter: async (settings) => encrypter(await openApplication(context, settings)),
  };
}

/**
 * A request is signed for whoever gets it: sent to another server, it could be shown to the right one, and its answer be read by
 * the other. So the credential has to say for which server it is, and the secret's word alone is not enough.
 */
async function openApplication(context: KmsContext, settings: ProviderSettings): Promise<Application> {
  const { app_id: appId, endpoint } = parseSettings(EHSM, settingsSchema, settings);
  const file = `credential_${fileNamePart('app_id', appId)}.json`;
  const credential = await readCredential(context.credentials, EHSM, file, credentialSchema);
  if (credential.AppId !== appId) throw malformed(EHSM, file, "'AppId' as in the file's name");
  if (credential.Endpoint === undefined) throw malformed(EHSM, file, "'Endpoint', the server that it is for");
  if (credential.Endpoint !== endpoint) {
    throw new KmsError(
      'KMS_UNTRUSTED',
      "provider ehsm: expected the credential's 'Endpoint', got another server",
    );
  }
  const server = serverOf(context, endpoint, credential, { provider: EHSM, file });
  const service: KmsService = { name: 'eHSM-KMS', server, attempts: context.attempts };
  return { service, appId, apiKey: credential.ApiKey, clock: context.clock };
}

function decrypter(application: Application): Decrypter {
  return {
    async decrypt(ciphertext, keyId, annotations, signal) {
      const payload = {
        ...parseAnnotations(EHSM, annotationsSchema, annotations),
        ciphertext: textCiphertext(EHSM, ciphertext),
        keyid: parseName('a key of eHSM-KMS', keyIdSchema, keyId),
      };
      const { result } = await call(application, 'Decrypt', payload, decryptedSchema, signal);
      return answeredBytes(application.service, result.plaintext);
    },
  };
}

function encrypter(application: Application): Encrypter {
  return {
    async encrypt(plaintext, keyId, annotations, signal) {
      const payload = {
        ...parseAnnotations(EHSM, annotationsSchema, annotations),
        keyid: parseName('a key of eHSM-KMS', keyIdSchema, keyId),
        plaintext: toBase64(plaintext),
      };
      const { result } = await call(application, 'Encrypt', payload, encryptedSchema, signal);
      return { ciphertext: toUtf8(result.ciphertext), keyId, annotations };
    },
  };
}

async function call<T>(
  application: Application,
  action: string,
  payload: Readonly<Record<string, string>>,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const request = (): KmsRequest => ({
    path: `/ehsm?Action=${action}`,
    body: signedBody(application, payload),
    signal,
  });
  const { service } = application;
  const answer = await callKmsJson(service, request, z.looseObject(answerSchema.shape));
  if (answer.code !== 200) throw new KmsError(codeOf(answer.code), `${service.name} answered ${answer.code}`);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new KmsError(
    'KMS_ANSWER_MALFORMED',
    `${service.name}: expected the members of ${action}, got others`,
  );
}

/** The signature covers all members in the order of their names, and those of the payload likewise. */
function signedBody(
  { appId, apiKey, clock }: Application,
  payload: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const nonce = toHex(randomBytes(NONCE_BYTES));
  const timestamp = clock().getTime().toString();
  const text = joined({ appid: appId, nonce, payload: joined(payload), timestamp });
  const sign = toBase64(createHmac('sha256', apiKey).update(text).digest());
  return { appid: appId, nonce, payload, timestamp, sign };
}

function joined(members: Readonly<Record<string, string>>): string {
  return Object.entries(members)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function codeOf(code: number): KmsError['code'] {
  if (code >= 500) return 'KMS_UNAVAILABLE';
  if (code === 401 || code === 403) return 'KMS_DENIED';
  return code === 404 ? 'KMS_NOT_FOUND' : 'KMS_REQUEST_REFUSED';
}
