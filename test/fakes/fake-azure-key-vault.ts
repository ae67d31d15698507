import {
  constants,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  verify,
} from 'node:crypto';
import { createMoods, type Moods } from './kms-moods.ts';
import { json, type ScriptedReply, type SeenRequest, startScriptedServer } from './scripted-server.ts';

export interface FakeKeyVault {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly mood: Moods['set'];
  close(): Promise<void>;
}

export const AZURE_APPLICATION = { tenant_id: 'tenant', client_id: 'guest' } as const;
export const AZURE_SECRET = 'a client secret';
const KEY_VERSION = '0123456789abcdef0123456789abcdef';
const TOKEN = 'an access token of Entra';
const HASHES: Readonly<Record<string, string>> = { 'RSA-OAEP-256': 'sha256', 'RSA-OAEP': 'sha1' };

/** Azure Key Vault and, at the same address, Microsoft Entra ID, which checks secrets and signed assertions. */
export async function startFakeKeyVault(applicationKey?: KeyObject): Promise<FakeKeyVault> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secrets: Readonly<Record<string, string>> = {
    [`database/`]: 'the newest',
    [`database/${KEY_VERSION}`]: 'of a version',
    'binary/': 'AAEC',
  };
  let base = '';

  function answer({ path, headers, text }: SeenRequest): ScriptedReply {
    const url = new URL(path, base);
    if (url.pathname === '/tenant/oauth2/v2.0/token') return token(new URLSearchParams(text));
    const isAllowed =
      headers.authorization === `Bearer ${TOKEN}` && url.searchParams.get('api-version') === '7.4';
    return isAllowed ? ofVault(url, text) : failure(401);
  }

  function ofVault(url: URL, text: string): ScriptedReply {
    const [, kind, name = '', third = '', fourth] = url.pathname.split('/');
    if (kind === 'secrets') return secret(`${name}/${third}`);
    if (kind !== 'keys' || name !== 'disk') return failure(404);
    const [version, operation] = fourth === undefined ? [KEY_VERSION, third] : [third, fourth];
    return version === KEY_VERSION ? operate(operation, JSON.parse(text) as Operation) : failure(404);
  }

  function token(form: URLSearchParams): ScriptedReply {
    const isKnown =
      form.get('grant_type') === 'client_credentials' &&
      form.get('client_id') === AZURE_APPLICATION.client_id &&
      form.get('scope') === 'https://vault.azure.net/.default' &&
      (form.get('client_secret') === AZURE_SECRET || isSigned(form.get('client_assertion')));
    return isKnown ? json({ token_type: 'Bearer', expires_in: 3599, access_token: TOKEN }) : failure(401);
  }

  function isSigned(assertion: string | null): boolean {
    const [header = '', claims = '', signature = ''] = assertion?.split('.') ?? [];
    if (applicationKey === undefined || signature === '') return false;
    const key = { key: applicationKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const { aud } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly aud: string };
    return (
      aud === `${base}/tenant/oauth2/v2.0/token` &&
      verify('sha256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url'))
    );
  }

  interface Operation {
    readonly alg: string;
    readonly value: string;
  }

  function operate(operation: string, { alg, value }: Operation): ScriptedReply {
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: HASHES[alg] ?? '' };
    const bytes = Buffer.from(value, 'base64url');
    try {
      const result = ['encrypt', 'wrapkey'].includes(operation)
        ? publicEncrypt({ key: publicKey, ...padding }, bytes)
        : privateDecrypt({ key: privateKey, ...padding }, bytes);
      return json({ kid: `${base}/keys/disk/${KEY_VERSION}`, value: result.toString('base64url') });
    } catch {
      return failure(400);
    }
  }

  function secret(name: string): ScriptedReply {
    const value = secrets[name];
    return value === undefined ? failure(404) : json({ value, id: `${base}/secrets/${name}` });
  }

  const moods = createMoods(answer);
  const server = await startScriptedServer(moods.script);
  base = server.url;
  return { url: server.url, seen: server.seen, mood: moods.set, close: server.close };
}

function failure(status: number): ScriptedReply {
  return json({ error: { code: 'Failed', message: `not with ${AZURE_SECRET}` } }, status);
}
