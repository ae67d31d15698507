import { z } from 'zod';
import type { AccessToken, WithAccessToken } from '../access-tokens.ts';
import { fileNamePart, readCredential } from '../credential-folder.ts';
import { callKmsJson, type KmsRequest, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf, trustMembers } from '../kms-context.ts';
import { pathSegments } from '../provider-members.ts';

export const VAULT = 'vault';

/** How the guest proves itself to the server: https://developer.hashicorp.com/vault/api-docs/auth */
const authSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token'), token: z.string().min(1) }),
  z.strictObject({
    method: z.literal('approle'),
    mount: pathSegments.default('approle'),
    role_id: z.string().min(1),
    secret_id: z.string().min(1),
  }),
  z.strictObject({
    method: z.literal('jwt'),
    mount: pathSegments.default('jwt'),
    role: z.string().min(1),
    jwt: z.string().min(1),
  }),
]);
const credentialSchema = z.strictObject({
  address: z.string(),
  namespace: z.string().min(1).max(256).optional(),
  auth: authSchema,
  ...trustMembers,
});
type VaultCredential = z.output<typeof credentialSchema>;

const loginReplySchema = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.number().min(0) }),
});

/** A server that this guest may ask. */
export interface VaultServer {
  readonly service: KmsService;
  /** Runs with the headers that prove who asks. */
  readonly authorized: <T>(run: (headers: KmsRequest['headers']) => Promise<T>) => Promise<T>;
}

/**
 * The server of `credential.json`, or of `credential_<name>.json` where a guest has several. Throws KmsError:
 * CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, KMS_NAME_REFUSED.
 */
export async function loadVaultServer(
  context: KmsContext,
  name: string | undefined,
  withToken: WithAccessToken,
): Promise<VaultServer> {
  const file = name === undefined ? 'credential.json' : `credential_${fileNamePart('server', name)}.json`;
  const credential = await readCredential(context.credentials, VAULT, file, credentialSchema);
  const { address, ...trust } = credential;
  const service: KmsService = {
    name: 'Vault',
    server: serverOf(context, address, trust, { provider: VAULT, file }),
    attempts: context.attempts,
  };
  const headersOf = (token: string): KmsRequest['headers'] => ({
    ...requestHeaders(credential),
    'x-vault-token': token,
  });
  const { auth } = credential;
  return {
    service,
    authorized: async (run) =>
      auth.method === 'token'
        ? await run(headersOf(auth.token))
        : await withToken(
            JSON.stringify(credential),
            async () => await login(service, credential),
            async (token) => await run(headersOf(token)),
          ),
  };
}

async function login(service: KmsService, credential: VaultCredential): Promise<AccessToken> {
  const { path, body } = loginOf(credential.auth);
  const { auth } = await callKmsJson(
    service,
    { path, body, headers: requestHeaders(credential) },
    loginReplySchema,
  );
  // A token that does not end has a lease of 0.
  return { text: auth.client_token, lifetimeSeconds: auth.lease_duration || undefined };
}

function loginOf(auth: VaultCredential['auth']): Required<Pick<KmsRequest, 'path' | 'body'>> {
  switch (auth.method) {
    case 'approle':
      return {
        path: `/v1/auth/${auth.mount}/login`,
        body: { role_id: auth.role_id, secret_id: auth.secret_id },
      };
    case 'jwt':
      return { path: `/v1/auth/${auth.mount}/login`, body: { role: auth.role, jwt: auth.jwt } };
    case 'token':
      throw new TypeError('a token needs no login');
  }
}

/** `X-Vault-Request` is what agents in between ask for, so that no browser is made to ask. */
function requestHeaders({ namespace }: VaultCredential): Readonly<Record<string, string>> {
  return { 'x-vault-request': 'true', ...(namespace !== undefined && { 'x-vault-namespace': namespace }) };
}
