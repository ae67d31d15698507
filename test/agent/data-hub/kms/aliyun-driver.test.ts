import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readPkcs12Key } from '../../../../agent/data-hub/kms/aliyun/pkcs12-key.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import {
  ALIYUN_CLIENT_KEY_ID,
  ALIYUN_ROLE,
  ALIYUN_STS,
  type FakeAliyunService,
  startFakeDedicatedKms,
  startFakeOpenApi,
} from '../../../fakes/fake-aliyun-kms.ts';
import { createFakeAuthority, type FakeAuthority } from '../../../fakes/fake-tls.ts';
import { pkcs12 } from '../../../fakes/pkcs12.ts';
import { createKmsGuest, failureOf, itFailsAsItsServiceDoes, KEY, type KmsGuest } from './kms-setup.ts';

const PASSWORD = 'a1b2c3d4';
const SETTINGS = { client_type: 'client_key', client_key_id: ALIYUN_CLIENT_KEY_ID, kms_instance_id: 'kst-1' };

let authority: FakeAuthority;
let pair: KeyPairKeyObjectResult;
let kms: FakeAliyunService;
let openApi: FakeAliyunService;
let guest: KmsGuest;

beforeAll(async () => {
  authority = await createFakeAuthority();
  pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
});

beforeEach(async () => {
  kms = await startFakeDedicatedKms(pair.publicKey, await authority.issue());
  openApi = await startFakeOpenApi();
  guest = await createKmsGuest('aliyun', {
    aliyun: { dedicated: () => kms.url, openApi: () => openApi.url, metadata: openApi.url },
  });
  await guest.credential('aliyun', 'PrivateKmsCA_kst-1.pem', authority.pem);
  await guest.credential('aliyun', `password_${ALIYUN_CLIENT_KEY_ID}.json`, `${PASSWORD}\n`);
  await clientKey(pkcs12(pair.privateKey, PASSWORD));
});

afterEach(async () => {
  await kms.close();
  await openApi.close();
  await guest.close();
});

async function clientKey(container: Buffer): Promise<void> {
  await guest.credential('aliyun', `clientKey_${ALIYUN_CLIENT_KEY_ID}.json`, {
    KeyId: ALIYUN_CLIENT_KEY_ID,
    PrivateKeyData: container.toString('base64'),
  });
}

describe('a dedicated instance', () => {
  it('decrypts what it has encrypted, with the iv that it has said', async () => {
    const encrypted = await guest.encrypt('key-1', SETTINGS);
    expect(encrypted.annotations).toEqual({ iv: expect.any(String) as string });
    expect(await guest.decrypt(encrypted, SETTINGS)).toEqual(KEY);
    await expect(guest.decrypt({ ...encrypted, annotations: {} }, SETTINGS)).rejects.toMatchObject({
      code: 'PROVIDER_ANNOTATIONS_MALFORMED',
    });
  });

  it('gets secrets, by version too', async () => {
    expect(await guest.get('database', SETTINGS)).toBe('the newest');
    expect(await guest.get('database', SETTINGS, { version_stage: '', version_id: '2' })).toBe('version 2');
    await expect(guest.get('other', SETTINGS)).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
  });

  // Row C6 of the defects: upstream takes the text of a JSON file for the password.
  it.each([
    ['bare', PASSWORD],
    ['with space around it', ` ${PASSWORD}\n`],
    ['in JSON', { ClientKeyPassword: PASSWORD }],
  ])('reads a password %s', async (_what, content) => {
    await guest.credential('aliyun', `password_${ALIYUN_CLIENT_KEY_ID}.json`, content);
    expect(await guest.get('database', SETTINGS)).toBe('the newest');
  });

  it('reads a client key as Alibaba Cloud encrypts it', async () => {
    await clientKey(pkcs12(pair.privateKey, PASSWORD, 'legacy'));
    expect(await guest.get('database', SETTINGS)).toBe('the newest');
  });

  it('is denied with another client key', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await clientKey(pkcs12(other.privateKey, PASSWORD));
    await expect(guest.get('database', SETTINGS)).rejects.toMatchObject({ code: 'KMS_DENIED' });
  });

  it('trusts the authority of the instance and no other', async () => {
    await guest.credential('aliyun', 'PrivateKmsCA_kst-1.pem', (await createFakeAuthority('Other')).pem);
    await expect(guest.get('database', SETTINGS)).rejects.toMatchObject({ code: 'KMS_UNTRUSTED' });
    expect(kms.seen).toHaveLength(0);
  });

  it.each([
    ['no client key', { ...SETTINGS, client_key_id: 'KAAP.other' }, 'CREDENTIALS_MISSING'],
    ['no authority of that instance', { ...SETTINGS, kms_instance_id: 'kst-2' }, 'CREDENTIALS_MISSING'],
    ['a client key elsewhere', { ...SETTINGS, client_key_id: '../aws/x' }, 'KMS_NAME_REFUSED'],
    [
      'an instance that is no part of a name',
      { ...SETTINGS, kms_instance_id: 'x.invalid/' },
      'PROVIDER_SETTINGS_MALFORMED',
    ],
    ['no client_type', {}, 'PROVIDER_SETTINGS_MALFORMED'],
    ['another client_type', { client_type: 'oidc' }, 'PROVIDER_SETTINGS_MALFORMED'],
  ])('refuses %s', async (_what, settings, code) => {
    await expect(guest.get('database', settings)).rejects.toMatchObject({ code });
    expect(kms.seen).toHaveLength(0);
  });

  it.each([
    ['another password', `password_${ALIYUN_CLIENT_KEY_ID}.json`, 'another'],
    [
      'a password in JSON of two members',
      `password_${ALIYUN_CLIENT_KEY_ID}.json`,
      { a: PASSWORD, b: PASSWORD },
    ],
    ['no container', `clientKey_${ALIYUN_CLIENT_KEY_ID}.json`, { KeyId: 'x', PrivateKeyData: 'AAAA' }],
    [
      'a container that is no base64',
      `clientKey_${ALIYUN_CLIENT_KEY_ID}.json`,
      { KeyId: 'x', PrivateKeyData: '-' },
    ],
    [
      'a header in its key id',
      `clientKey_${ALIYUN_CLIENT_KEY_ID}.json`,
      { KeyId: 'x\r\ny: z', PrivateKeyData: '' },
    ],
    ['an empty authority', 'PrivateKmsCA_kst-1.pem', ''],
  ])('refuses credentials with %s', async (_what, file, content) => {
    await guest.credential('aliyun', file, content);
    const error = await failureOf(async () => await guest.get('database', SETTINGS));
    expect(error).toMatchObject({ code: 'CREDENTIALS_MALFORMED' });
    expect(error.message).not.toContain(PASSWORD);
  });

  describe('in trouble', () => {
    itFailsAsItsServiceDoes(() => ({
      mood: kms.mood,
      requests: () => kms.seen.length,
      run: async () => await guest.get('database', SETTINGS),
      renewsToken: false,
      secrets: [PASSWORD, 'the newest'],
    }));
  });
});

it('a container of any bytes is read or refused', async () => {
  const good = pkcs12(pair.privateKey, PASSWORD);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
        fc.tuple(fc.nat(60), fc.nat(255)).map(([at, byte]) => Uint8Array.from(good).fill(byte, at, at + 1)),
      ),
      async (bytes) => {
        try {
          await readPkcs12Key(bytes, PASSWORD, 'a file');
        } catch (error) {
          expect(isCodedError(error) && error.code).toBe('CREDENTIALS_MALFORMED');
        }
      },
    ),
  );
});

describe('the shared service', () => {
  const NAME = 'database ~*';
  const STS = { client_type: 'sts_token', token_path: 'sts', region_id: 'cn-hangzhou' };
  const sts = async (text: string): Promise<void> => {
    await guest.credential('aliyun', 'sts', text);
  };

  beforeEach(async () => {
    await sts(`${ALIYUN_STS.id}:${ALIYUN_STS.secret}:${ALIYUN_STS.token}\n`);
    await guest.credential('aliyun', 'ecsRamRole.json', {
      ecs_ram_role_name: ALIYUN_ROLE,
      region_id: 'cn-hangzhou',
    });
  });

  it('gets secrets with the credential of a file, by its name or its path', async () => {
    expect(await guest.get(NAME, STS)).toBe('stage ');
    const token_path = join(guest.folder, 'aliyun', 'sts');
    expect(await guest.get(NAME, { ...STS, token_path }, { version_stage: 'ACSPrevious' })).toBe(
      'stage ACSPrevious',
    );
  });

  it('gets secrets with the credential of a role', async () => {
    expect(await guest.get(NAME, { client_type: 'ecs_ram_role' })).toBe('stage ');
  });

  it('signs each attempt anew', async () => {
    openApi.mood(503, 1);
    expect(await guest.get(NAME, STS)).toBe('stage ');
    const nonces = openApi.seen.map(({ path }) =>
      new URL(path, openApi.url).searchParams.get('SignatureNonce'),
    );
    expect(new Set(nonces).size).toBe(2);
  });

  it.each([
    ['another secret', `${ALIYUN_STS.id}:other:${ALIYUN_STS.token}`, 'KMS_DENIED'],
    ['an unknown id', `other:${ALIYUN_STS.secret}:${ALIYUN_STS.token}`, 'KMS_DENIED'],
    ['two parts', 'a:b', 'CREDENTIALS_MALFORMED'],
    ['four parts', 'a:b:c:d', 'CREDENTIALS_MALFORMED'],
    ['an empty part', 'a::c', 'CREDENTIALS_MALFORMED'],
  ])('refuses a credential with %s', async (_what, text, code) => {
    await sts(text);
    const error = await failureOf(async () => await guest.get(NAME, STS));
    expect(error).toMatchObject({ code });
    expect(error.message).not.toContain(ALIYUN_STS.secret);
  });

  it('does not read another file because a secret says so', async () => {
    await symlink('/etc/hostname', join(guest.folder, 'aliyun', 'link'));
    for (const [token_path, code] of [
      ['/etc/hostname', 'KMS_NAME_REFUSED'],
      ['../aws/credential.json', 'KMS_NAME_REFUSED'],
      ['link', 'CREDENTIALS_MISSING'],
    ] as const) {
      await expect(guest.get(NAME, { ...STS, token_path })).rejects.toMatchObject({ code });
    }
  });

  it.each(['cn-hangzhou.invalid/', 'x', '../y', 'cn-hangzhou:80'])(
    'knows no region named %j',
    async (region_id) => {
      await expect(guest.get(NAME, { ...STS, region_id })).rejects.toMatchObject({
        code: 'PROVIDER_SETTINGS_MALFORMED',
      });
    },
  );

  it('tells a name that is not there from one that may not be read', async () => {
    await expect(guest.get('other', STS)).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
  });

  it.each(['sts_token', 'ecs_ram_role'])('neither encrypts nor decrypts (%s)', async (client_type) => {
    await expect(guest.encrypt('key-1', { ...STS, client_type })).rejects.toMatchObject({
      code: 'PROVIDER_CANNOT_DECRYPT',
    });
  });

  describe('in trouble', () => {
    itFailsAsItsServiceDoes(() => ({
      mood: openApi.mood,
      requests: () => openApi.seen.length,
      run: async () => await guest.get(NAME, STS),
      renewsToken: false,
      secrets: [ALIYUN_STS.secret, ALIYUN_STS.token, 'not with'],
    }));
  });
});
