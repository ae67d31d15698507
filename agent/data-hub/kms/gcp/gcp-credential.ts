import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { z } from 'zod';
import { toBase64Url, toUtf8 } from '../../../../server/bytes/encoding.ts';
import type { AccessToken, WithAccessToken } from '../access-tokens.ts';
import { fileNamePart, malformed, readCredential } from '../credential-folder.ts';
import { callKmsJson, formBody, type KmsRequest, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf, trustMembers } from '../kms-context.ts';

export const GCP = 'gcp';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const ASSERTION_SECONDS = 300;
const SECOND = 1000;

/** The key file of a service account as Google makes it, and members of ours for private addresses. */
const credentialSchema = z.object({
  type: z.literal('service_account'),
  project_id: z.string().regex(/^[a-z0-9:.-]{1,128}$/),
  private_key_id: z.string().max(128),
  private_key: z.string(),
  client_email: z.string().min(1).max(320),
  token_uri: z.string().default('https://oauth2.googleapis.com/token'),
  universe_domain: z
    .string()
    .regex(/^[a-z0-9.-]{1,253}$/)
    .default('googleapis.com'),
  endpoints: z
    .strictObject({ cloudkms: z.string().optional(), secretmanager: z.string().optional() })
    .default({}),
  ...trustMembers,
});
type GcpCredential = z.output<typeof credentialSchema>;

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().min(0) });

/** What a service account may ask. */
export interface GcpProject {
  readonly id: string;
  readonly keys: KmsService;
  readonly secrets: KmsService;
  readonly authorized: <T>(run: (headers: KmsRequest['headers']) => Promise<T>) => Promise<T>;
}

/**
 * The account of `credential.json`, or of `credential_<name>.json` where a guest has several. Throws KmsError:
 * CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, KMS_NAME_REFUSED.
 */
export async function loadGcpProject(
  context: KmsContext,
  name: string | undefined,
  withToken: WithAccessToken,
): Promise<GcpProject> {
  const file = name === undefined ? 'credential.json' : `credential_${fileNamePart('account', name)}.json`;
  const credential = await readCredential(context.credentials, GCP, file, credentialSchema);
  const serviceAt = (service: string, url: string): KmsService => ({
    name: service,
    server: serverOf(context, url, credential, { provider: GCP, file }),
    attempts: context.attempts,
  });
  const { universe_domain: domain, endpoints } = credential;
  const key = readKey(credential, file);
  const issuer = serviceAt('Google’s token service', credential.token_uri);
  return {
    id: credential.project_id,
    keys: serviceAt('Google Cloud KMS', endpoints.cloudkms ?? `https://cloudkms.${domain}`),
    secrets: serviceAt('Google Secret Manager', endpoints.secretmanager ?? `https://secretmanager.${domain}`),
    authorized: async (run) =>
      await withToken(
        JSON.stringify(credential),
        async () => await obtain(context, credential, key, issuer),
        async (token) => await run({ authorization: `Bearer ${token}` }),
      ),
  };
}

/** https://developers.google.com/identity/protocols/oauth2/service-account, "HTTP/REST" */
async function obtain(
  { clock }: KmsContext,
  credential: GcpCredential,
  key: KeyObject,
  issuer: KmsService,
): Promise<AccessToken> {
  const now = Math.floor(clock().getTime() / SECOND);
  const header = { alg: 'RS256', typ: 'JWT', kid: credential.private_key_id };
  const claims = {
    iss: credential.client_email,
    scope: SCOPE,
    aud: credential.token_uri,
    iat: now,
    exp: now + ASSERTION_SECONDS,
  };
  const signed = [header, claims].map((part) => toBase64Url(toUtf8(JSON.stringify(part)))).join('.');
  const form = formBody({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${signed}.${toBase64Url(sign('sha256', toUtf8(signed), key))}`,
  });
  const reply = await callKmsJson(issuer, { path: '', ...form }, tokenSchema);
  return { text: reply.access_token, lifetimeSeconds: reply.expires_in };
}

function readKey({ private_key: pem }: GcpCredential, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // No cause: it may tell of the key.
  }
  throw malformed(GCP, file, "an RSA key in 'private_key'");
}
