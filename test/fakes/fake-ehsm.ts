import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { FakeServerCertificate } from './fake-tls.ts';
import { createMoods, type Moods } from './kms-moods.ts';
import { json, type ScriptedReply, type SeenRequest, startScriptedServer } from './scripted-server.ts';

export interface FakeEhsm {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly mood: Moods['set'];
  /** What it answers inside of a good HTTP reply. */
  code(code: number): void;
  close(): Promise<void>;
}

export const EHSM_APP_ID = '86f0e9fe-7f05-4110-9f65-a224ddee1233';
export const EHSM_API_KEY = 'an api key of ehsm';
const KEY_ID = 'c2VjcmV0LWtleQ==';

/** eHSM-KMS over TLS: signatures over ordered members, each nonce once, statuses inside the reply. */
export async function startFakeEhsm(tls: FakeServerCertificate): Promise<FakeEhsm> {
  const key = randomBytes(32);
  const nonces = new Set<string>();
  let forced = 200;

  function answer({ path, text }: SeenRequest): ScriptedReply {
    const body = JSON.parse(text) as Body;
    if (forced !== 200) return result(forced);
    if (body.appid !== EHSM_APP_ID || body.sign !== signatureOf(body) || nonces.has(body.nonce))
      return result(401);
    nonces.add(body.nonce);
    if (body.payload['keyid'] !== KEY_ID) return result(404);
    switch (path) {
      case '/ehsm?Action=Encrypt':
        return encrypt(body.payload);
      case '/ehsm?Action=Decrypt':
        return decrypt(body.payload);
      default:
        return result(400);
    }
  }

  function encrypt(payload: Payload): ScriptedReply {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(payload['aad'] ?? '', 'base64'));
    const sealed = Buffer.concat([iv, cipher.update(payload['plaintext']!, 'base64'), cipher.final()]);
    return result(200, { ciphertext: Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64') });
  }

  function decrypt(payload: Payload): ScriptedReply {
    const bytes = Buffer.from(payload['ciphertext']!, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
      decipher.setAAD(Buffer.from(payload['aad'] ?? '', 'base64')).setAuthTag(bytes.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
      return result(200, { plaintext: plaintext.toString('base64') });
    } catch {
      return result(400);
    }
  }

  const moods = createMoods(answer);
  const server = await startScriptedServer(moods.script, { tls });
  return {
    url: server.url,
    seen: server.seen,
    mood: moods.set,
    code(code) {
      forced = code;
    },
    close: server.close,
  };
}

type Payload = Readonly<Record<string, string>>;
interface Body {
  readonly appid: string;
  readonly nonce: string;
  readonly payload: Payload;
  readonly sign: string;
  readonly timestamp: string;
}

function signatureOf({ appid, nonce, payload, timestamp }: Body): string {
  const inner = Object.keys(payload)
    .sort()
    .map((name) => `${name}=${payload[name]!}`)
    .join('&');
  const text = `appid=${appid}&nonce=${nonce}&payload=${inner}&timestamp=${timestamp}`;
  return createHmac('sha256', EHSM_API_KEY).update(text).digest('base64');
}

function result(code: number, members: object = {}): ScriptedReply {
  return json({ code, message: code === 200 ? 'success' : `not with ${EHSM_API_KEY}`, result: members });
}
