import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { createMoods, type Moods } from './kms-moods.ts';
import { json, type ScriptedReply, type SeenRequest, startScriptedServer } from './scripted-server.ts';

export interface FakeVault {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly mood: Moods['set'];
  /** Ends every token that was given at a login. */
  revokeTokens(): void;
  close(): Promise<void>;
}

export const VAULT_TOKEN = 'hvs.root';
export const APP_ROLE = { role_id: 'role', secret_id: 'secret' } as const;
export const JWT_ROLE = { role: 'guest', jwt: 'a.b.c' } as const;
const NAMESPACE = 'team';
const LEASE_SECONDS = 600;

/** HashiCorp Vault on loopback, as far as a guest sees it: the transit and KV engines, and three ways to log in. */
export async function startFakeVault(): Promise<FakeVault> {
  const key = randomBytes(32);
  let tokens = new Set([VAULT_TOKEN]);
  const kv: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
    'app/database': [{ password: 'first' }, { password: 'second', port: 5432 }],
  };

  function answer({ path, headers, text }: SeenRequest): ScriptedReply {
    const url = new URL(path, 'http://vault.invalid');
    const body = (text === '' ? {} : JSON.parse(text)) as Readonly<Record<string, string>>;
    if (headers['x-vault-request'] !== 'true' || headers['x-vault-namespace'] !== NAMESPACE)
      return failure(400);
    if (url.pathname.startsWith('/v1/auth/')) return isProven(url.pathname, body) ? login() : failure(400);
    if (!tokens.has(String(headers['x-vault-token']))) return failure(403);
    if (url.pathname.startsWith('/v1/forbidden/')) return failure(403);
    return transit(url.pathname, body) ?? secret(url) ?? failure(404);
  }

  function isProven(path: string, body: Readonly<Record<string, string>>): boolean {
    if (path === '/v1/auth/machines/login')
      return body['role'] === JWT_ROLE.role && body['jwt'] === JWT_ROLE.jwt;
    const isRole = body['role_id'] === APP_ROLE.role_id && body['secret_id'] === APP_ROLE.secret_id;
    return path === '/v1/auth/approle/login' && isRole;
  }

  function login(): ScriptedReply {
    const token = `hvs.${randomUUID()}`;
    tokens.add(token);
    return json({ auth: { client_token: token, lease_duration: LEASE_SECONDS, renewable: true } });
  }

  function transit(path: string, body: Readonly<Record<string, string>>): ScriptedReply | undefined {
    const [, operation] = /^\/v1\/transit\/(encrypt|decrypt)\/disk$/.exec(path) ?? [];
    if (operation === 'encrypt') return json({ data: { ciphertext: encrypt(body), key_version: 1 } });
    if (operation === 'decrypt') return decrypt(body);
    return undefined;
  }

  function encrypt(body: Readonly<Record<string, string>>): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(boundTo(body));
    const sealed = Buffer.concat([iv, cipher.update(body['plaintext']!, 'base64'), cipher.final()]);
    return `vault:v1:${Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64')}`;
  }

  function decrypt(body: Readonly<Record<string, string>>): ScriptedReply {
    const bytes = Buffer.from(/^vault:v1:(.*)$/.exec(body['ciphertext'] ?? '')?.[1] ?? '', 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(boundTo(body));
      decipher.setAuthTag(bytes.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
      return json({ data: { plaintext: plaintext.toString('base64') } });
    } catch {
      return failure(400);
    }
  }

  function secret(url: URL): ScriptedReply | undefined {
    const [, engine, name = ''] = /^\/v1\/(secret\/data|old)\/(.*)$/.exec(url.pathname) ?? [];
    const versions = kv[name];
    if (engine === undefined || versions === undefined) return undefined;
    if (engine === 'old') return json({ data: versions.at(-1)! });
    const version = Number(url.searchParams.get('version') ?? versions.length);
    const data = versions[version - 1];
    return data === undefined ? undefined : json({ data: { data, metadata: { version } } });
  }

  const moods = createMoods(answer);
  const server = await startScriptedServer(moods.script);
  return {
    url: server.url,
    seen: server.seen,
    mood: moods.set,
    revokeTokens() {
      tokens = new Set([VAULT_TOKEN]);
    },
    close: server.close,
  };
}

function boundTo(body: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(JSON.stringify([body['context'], body['associated_data']]));
}

function failure(status: number): ScriptedReply {
  return json({ errors: ['permission denied to hvs.root'] }, status);
}
