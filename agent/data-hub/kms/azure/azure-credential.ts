import { constants, createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../../../../server/bytes/byte-strings.ts';
import { toBase64Url, toUtf8 } from '../../../../server/bytes/encoding.ts';
import type { AccessToken, WithAccessToken } from '../access-tokens.ts';
import { fileNamePart, malformed, readCredential } from '../credential-folder.ts';
import { callKmsJson, formBody, type KmsRequest, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf, trustMembers } from '../kms-context.ts';

export const AZURE = 'azure';

const AUTHORITY = 'https://login.microsoftonline.com';
const ASSERTION_SECONDS = 300;
const SECOND = 1000;

const application = {
  authority: z.string().default(AUTHORITY),
  tenant_id: z.string().regex(/^[A-Za-z0-9.-]{1,128}$/),
  client_id: z.string().min(1).max(128),
};
/** How the guest proves itself: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
const authSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('client_secret'), client_secret: z.string().min(1), ...application }),
  z.strictObject({
    method: z.literal('client_certificate'),
    /** PEM. */
    certificate: z.string(),
    /** PEM, RSA. */
    private_key: z.string(),
    ...application,
  }),
]);
const credentialSchema = z.strictObject({
  /** `https://<name>.vault.azure.net`, or of a managed HSM or another cloud. */
  vault_url: z.string(),
  /** What tokens are for. */
  resource: z.string().default('https://vault.azure.net'),
  auth: authSchema,
  ...trustMembers,
});
type AzureCredential = z.output<typeof credentialSchema>;
type Auth<Method> = Extract<AzureCredential['auth'], { readonly method: Method }>;

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().min(0) });

/** A key vault that this guest may ask. */
export interface KeyVault {
  readonly service: KmsService;
  readonly authorized: <T>(run: (headers: KmsRequest['headers']) => Promise<T>) => Promise<T>;
}

/**
 * The vault of `credential.json`, or of `credential_<name>.json` where a guest has several. Throws KmsError:
 * CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, KMS_NAME_REFUSED.
 */
export async function loadKeyVault(
  context: KmsContext,
  name: string | undefined,
  withToken: WithAccessToken,
): Promise<KeyVault> {
  const file = name === undefined ? 'credential.json' : `credential_${fileNamePart('vault', name)}.json`;
  const credential = await readCredential(context.credentials, AZURE, file, credentialSchema);
  const where = { provider: AZURE, file };
  const obtain = obtainer(context, credential, where);
  return {
    service: {
      name: 'Azure Key Vault',
      server: serverOf(context, credential.vault_url, credential, where),
      attempts: context.attempts,
    },
    authorized: async (run) =>
      await withToken(
        JSON.stringify(credential),
        obtain,
        async (token) => await run({ authorization: `Bearer ${token}` }),
      ),
  };
}

type Where = Parameters<typeof serverOf>[3];

function obtainer(
  context: KmsContext,
  { auth, resource }: AzureCredential,
  where: Where,
): () => Promise<AccessToken> {
  const service: KmsService = {
    name: 'Microsoft Entra ID',
    server: serverOf(context, auth.authority, {}, where),
    attempts: context.attempts,
  };
  const proof =
    auth.method === 'client_secret'
      ? () => ({ client_secret: auth.client_secret })
      : assertion(context, auth, where);
  return async () => {
    const form = formBody({
      grant_type: 'client_credentials',
      client_id: auth.client_id,
      scope: `${resource}/.default`,
      ...proof(),
    });
    return toToken(
      await callKmsJson(service, { path: `/${auth.tenant_id}/oauth2/v2.0/token`, ...form }, tokenSchema),
    );
  };
}

/** A signed assertion in place of a secret (RFC 7523), in the form of Entra: https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials */
function assertion(
  { clock }: KmsContext,
  auth: Auth<'client_certificate'>,
  where: Where,
): () => Readonly<Record<string, string>> {
  const { key, thumbprint } = readPair(auth, where);
  return () => {
    const now = Math.floor(clock().getTime() / SECOND);
    const header = { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint };
    const claims = {
      aud: `${auth.authority}/${auth.tenant_id}/oauth2/v2.0/token`,
      iss: auth.client_id,
      sub: auth.client_id,
      jti: randomUUID(),
      nbf: now,
      exp: now + ASSERTION_SECONDS,
    };
    const signed = [header, claims].map((part) => toBase64Url(toUtf8(JSON.stringify(part)))).join('.');
    const signature = sign('sha256', toUtf8(signed), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    });
    return {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${signed}.${toBase64Url(signature)}`,
    };
  };
}

function readPair(
  { certificate, private_key: privateKey }: Auth<'client_certificate'>,
  { provider, file }: Where,
): { readonly key: KeyObject; readonly thumbprint: string } {
  try {
    const { raw } = new X509Certificate(certificate);
    return { key: createPrivateKey(privateKey), thumbprint: toBase64Url(sha256(raw)) };
  } catch {
    throw malformed(provider, file, "a certificate and its key in 'auth'"); // no cause: it may tell of the key
  }
}

function toToken({
  access_token: text,
  expires_in: lifetimeSeconds,
}: z.output<typeof tokenSchema>): AccessToken {
  return { text, lifetimeSeconds };
}
