import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import { createMoods, type Moods } from './kms-moods.ts';
import { json, type ScriptedReply, type SeenRequest, startScriptedServer } from './scripted-server.ts';

export interface FakeGoogle {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly mood: Moods['set'];
  /** The key file of a service account that this Google knows. */
  readonly account: Readonly<Record<string, unknown>>;
  readonly privateKeyPem: string;
  /** For a guest to decrypt with the asymmetric key. */
  encryptForGuest(plaintext: Uint8Array): Uint8Array;
  /** Whether checksums are those of something else. */
  corrupt(isCorrupt: boolean): void;
  close(): Promise<void>;
}

const RING = 'projects/verigo/locations/global/keyRings/guests/cryptoKeys';
export const GOOGLE_KEY = `${RING}/disk`;
export const GOOGLE_RSA_KEY = `${RING}/pair/cryptoKeyVersions/1`;
const EMAIL = 'guest@verigo.iam.gserviceaccount.com';
const TOKEN = 'ya29.token';

/** Google Cloud KMS, Secret Manager and the token service on loopback; assertions of the account are checked. */
export async function startFakeGoogle(): Promise<FakeGoogle> {
  const account = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKeyPem = account.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const key = randomBytes(32);
  let base = '';
  let isCorrupt = false;
  const sum = (bytes: Uint8Array): string => ((castagnoli(bytes) ^ (isCorrupt ? 1 : 0)) >>> 0).toString();

  function answer({ path, headers, text }: SeenRequest): ScriptedReply {
    if (path === '/token') return token(new URLSearchParams(text));
    if (headers.authorization !== `Bearer ${TOKEN}`) return failure(401);
    const body = (text === '' ? {} : JSON.parse(text)) as Readonly<Record<string, string>>;
    switch (path) {
      case `/v1/${GOOGLE_KEY}:encrypt`:
        return encrypt(body);
      case `/v1/${GOOGLE_KEY}:decrypt`:
        return decrypt(body);
      case `/v1/${GOOGLE_RSA_KEY}:asymmetricDecrypt`:
        return asymmetricDecrypt(body);
      case '/v1/projects/verigo/secrets/database/versions/latest:access':
        return secret('the newest');
      case '/v1/projects/verigo/secrets/database/versions/1:access':
        return secret('the first');
      default:
        return failure(404);
    }
  }

  function token(form: URLSearchParams): ScriptedReply {
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const isSigned = verify(
      'sha256',
      Buffer.from(`${header}.${claims}`),
      account.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Readonly<Record<string, unknown>>;
    const isGood = isSigned && said['iss'] === EMAIL && said['aud'] === `${base}/token`;
    return isGood ? json({ access_token: TOKEN, expires_in: 3599, token_type: 'Bearer' }) : failure(400);
  }

  function encrypt(body: Readonly<Record<string, string>>): ScriptedReply {
    const plaintext = Buffer.from(body['plaintext']!, 'base64');
    if (Number(body['plaintextCrc32c']) !== castagnoli(plaintext)) return failure(400);
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(body));
    const sealed = Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return json({
      name: `${GOOGLE_KEY}/cryptoKeyVersions/1`,
      ciphertext: sealed.toString('base64'),
      ciphertextCrc32c: sum(sealed),
      verifiedPlaintextCrc32c: true,
    });
  }

  function decrypt(body: Readonly<Record<string, string>>): ScriptedReply {
    const bytes = Buffer.from(body['ciphertext']!, 'base64');
    if (Number(body['ciphertextCrc32c']) !== castagnoli(bytes)) return failure(400);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(aad(body));
      decipher.setAuthTag(bytes.subarray(-16));
      return plaintextReply(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]));
    } catch {
      return failure(400);
    }
  }

  function asymmetricDecrypt(body: Readonly<Record<string, string>>): ScriptedReply {
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    return plaintextReply(
      privateDecrypt({ key: pair.privateKey, ...padding }, Buffer.from(body['ciphertext']!, 'base64')),
    );
  }

  function plaintextReply(plaintext: Buffer): ScriptedReply {
    return json({ plaintext: plaintext.toString('base64'), plaintextCrc32c: sum(plaintext) });
  }

  function secret(text: string): ScriptedReply {
    const data = Buffer.from(text);
    return json({ name: 'a version', payload: { data: data.toString('base64'), dataCrc32c: sum(data) } });
  }

  const moods = createMoods(answer);
  const server = await startScriptedServer(moods.script);
  base = server.url;
  return {
    url: base,
    seen: server.seen,
    mood: moods.set,
    privateKeyPem,
    account: {
      type: 'service_account',
      project_id: 'verigo',
      private_key_id: 'f00d',
      private_key: privateKeyPem,
      client_email: EMAIL,
      client_id: '1',
      token_uri: `${base}/token`,
      universe_domain: 'googleapis.com',
      endpoints: { cloudkms: base, secretmanager: base },
    },
    encryptForGuest: (plaintext) =>
      publicEncrypt(
        { key: pair.publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
        plaintext,
      ),
    corrupt(value) {
      isCorrupt = value;
    },
    close: server.close,
  };
}

function aad(body: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(body['additionalAuthenticatedData'] ?? '', 'base64');
}

function failure(status: number): ScriptedReply {
  return json({ error: { code: status, message: `not with ${TOKEN}` } }, status);
}

/** CRC-32C bit by bit, by the polynomial as RFC 3720 writes it: other code than that which it checks. */
function castagnoli(bytes: Uint8Array): number {
  const reflect = (value: number, width: number): number => {
    let reflected = 0;
    for (let bit = 0; bit < width; bit++) if ((value & (1 << bit)) !== 0) reflected |= 1 << (width - 1 - bit);
    return reflected >>> 0;
  };
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= reflect(byte, 8) << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x1edc6f41 : crc << 1;
  }
  return (reflect(crc >>> 0, 32) ^ 0xffffffff) >>> 0;
}
