import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  APP_ROLE,
  type FakeVault,
  JWT_ROLE,
  startFakeVault,
  VAULT_TOKEN,
} from '../../../fakes/fake-vault.ts';
import { createKmsGuest, failureOf, itFailsAsItsServiceDoes, KEY, type KmsGuest } from './kms-setup.ts';

let vault: FakeVault;
let guest: KmsGuest;

const TOKEN = { method: 'token', token: VAULT_TOKEN };
const LOGIN = { method: 'approle', ...APP_ROLE };
const credential = async (auth: object, more: object = {}): Promise<void> => {
  await guest.credential('vault', 'credential.json', {
    address: vault.url,
    namespace: 'team',
    auth,
    ...more,
  });
};
const logins = (): number => vault.seen.filter(({ path }) => path.endsWith('/login')).length;

beforeEach(async () => {
  vault = await startFakeVault();
  guest = await createKmsGuest('Vault');
  await credential(TOKEN);
});

afterEach(async () => {
  await vault.close();
  await guest.close();
});

describe('keys of the transit engine', () => {
  it('decrypts what it has encrypted', async () => {
    const encrypted = await guest.encrypt('disk', {});
    expect(Buffer.from(encrypted.ciphertext).toString()).toMatch(/^vault:v1:/);
    expect(await guest.decrypt(encrypted, {})).toEqual(KEY);
  });

  it('with what the ciphertext is bound to', async () => {
    const annotations = { context: 'Y29udGV4dA==', associated_data: 'ZGF0YQ==' };
    const encrypted = await guest.encrypt('disk', { mount: 'transit' }, annotations);
    expect(await guest.decrypt(encrypted, {})).toEqual(KEY);
    await expect(guest.decrypt({ ...encrypted, annotations: {} }, {})).rejects.toMatchObject({
      code: 'KMS_REQUEST_REFUSED',
    });
  });

  it.each([['../sys/seal'], ['disk/../../sys'], ['a b'], ['..'], ['.hidden'], ['']])(
    'asks for no key named %j',
    async (keyId) => {
      const encrypted = await guest.encrypt('disk', {});
      const before = vault.seen.length;
      await expect(guest.decrypt({ ...encrypted, keyId }, {})).rejects.toMatchObject({
        code: 'KMS_NAME_REFUSED',
      });
      expect(vault.seen).toHaveLength(before);
    },
  );

  it('refuses ciphertext that is no text, before it asks', async () => {
    const encrypted = { ciphertext: Uint8Array.of(0xff), keyId: 'disk', annotations: {} };
    await expect(guest.decrypt(encrypted, {})).rejects.toMatchObject({ code: 'KMS_REQUEST_REFUSED' });
    expect(vault.seen).toHaveLength(0);
  });

  it('refuses an altered ciphertext', async () => {
    const encrypted = await guest.encrypt('disk', {});
    const ciphertext = Uint8Array.from(encrypted.ciphertext);
    ciphertext[20]! ^= 1;
    await expect(guest.decrypt({ ...encrypted, ciphertext }, {})).rejects.toMatchObject({
      code: 'KMS_REQUEST_REFUSED',
    });
  });

  it('does not begin for somebody who does not wait any more', async () => {
    const encrypted = await guest.encrypt('disk', {});
    const before = vault.seen.length;
    const failure = failureOf(async () => await guest.decrypt(encrypted, {}, AbortSignal.abort()));
    expect(await failure).toMatchObject({ code: 'KMS_UNAVAILABLE' });
    expect(vault.seen).toHaveLength(before);
  });

  it('stops for somebody who has stopped waiting', async () => {
    const encrypted = await guest.encrypt('disk', {});
    vault.mood('hangs');
    const controller = new AbortController();
    const failure = failureOf(async () => await guest.decrypt(encrypted, {}, controller.signal));
    setTimeout(() => {
      controller.abort();
    }, 20);
    expect(await failure).toMatchObject({ code: 'KMS_UNAVAILABLE' });
    expect(vault.seen).toHaveLength(2);
  });
});

describe('secrets of the KV engine', () => {
  it.each([
    ['the newest, all of it', {}, {}, '{"password":"second","port":5432}'],
    ['one member', {}, { field: 'password' }, 'second'],
    ['an older version', {}, { field: 'password', version: 1 }, 'first'],
    ['of version 1 of the engine', { mount: 'old', kv_version: 1 }, { field: 'password' }, 'second'],
  ])('gets %s', async (_what, settings, annotations, secret) => {
    expect(await guest.get('app/database', settings, annotations)).toBe(secret);
  });

  it.each([
    ['another name', 'app/other', {}, 'KMS_NOT_FOUND'],
    ['another version', 'app/database', { version: 9 }, 'KMS_NOT_FOUND'],
    ['a member that is not there', 'app/database', { field: 'user' }, 'KMS_NOT_FOUND'],
    ['a member that is no text', 'app/database', { field: 'port' }, 'KMS_ANSWER_MALFORMED'],
    ['a name that leads upwards', 'app/../../sys', {}, 'KMS_NAME_REFUSED'],
    ['a name with a query', 'app/database?version=1', {}, 'KMS_NAME_REFUSED'],
    ['an unknown annotation', 'app/database', { filed: 'password' }, 'PROVIDER_ANNOTATIONS_MALFORMED'],
  ])('refuses %s', async (_what, name, annotations, code) => {
    await expect(guest.get(name, {}, annotations)).rejects.toMatchObject({ code });
  });
});

describe('proof of who asks', () => {
  it.each([
    ['an AppRole', LOGIN],
    ['a JWT', { method: 'jwt', mount: 'machines', ...JWT_ROLE }],
  ])('logs in with %s, once for as long as the token is good', async (_what, auth) => {
    await credential(auth);
    for (let times = 0; times < 3; times++) await guest.get('app/database', {});
    expect(logins()).toBe(1);
    guest.pass(600);
    await guest.get('app/database', {});
    expect(logins()).toBe(2);
  });

  it('logs in once more when a token that it kept is refused', async () => {
    await credential(LOGIN);
    await guest.get('app/database', {});
    vault.revokeTokens();
    expect(await guest.get('app/database', {}, { field: 'password' })).toBe('second');
    expect(logins()).toBe(2);
  });

  it('does not log in again when what was just given is refused', async () => {
    await credential(LOGIN);
    const denied = async (): Promise<unknown> => await guest.get('app/database', { mount: 'forbidden' });
    await expect(denied()).rejects.toMatchObject({ code: 'KMS_DENIED' });
    expect(logins()).toBe(1);
    await expect(denied()).rejects.toMatchObject({ code: 'KMS_DENIED' }); // a kept one may have ended
    expect(logins()).toBe(2);
  });

  it('takes the credential that is there now', async () => {
    await guest.get('app/database', {});
    await credential({ method: 'token', token: 'hvs.ended' });
    await expect(guest.get('app/database', {})).rejects.toMatchObject({ code: 'KMS_DENIED' });
  });

  it('asks the server that the settings name, of those that the guest has', async () => {
    const second = { address: vault.url, namespace: 'team', auth: TOKEN };
    await guest.credential('vault', 'credential_second.json', second);
    expect(await guest.get('app/database', { server: 'second' }, { field: 'password' })).toBe('second');
  });

  it.each([
    ['a server that it does not have', { server: 'third' }, 'CREDENTIALS_MISSING'],
    ['a server in another folder', { server: '../aws/credential' }, 'KMS_NAME_REFUSED'],
    ['an address in the settings', { address: 'https://elsewhere.invalid' }, 'PROVIDER_SETTINGS_MALFORMED'],
    ['a mount that leads upwards', { mount: '../auth' }, 'PROVIDER_SETTINGS_MALFORMED'],
  ])('refuses %s and shows its token to nobody', async (_what, settings, code) => {
    await expect(guest.get('app/database', settings)).rejects.toMatchObject({ code });
    expect(vault.seen).toHaveLength(0);
  });

  it.each([
    ['no JSON', '{'],
    ['no way to log in', { address: 'https://vault.invalid' }],
    ['an unknown way', { address: 'https://vault.invalid', auth: { method: 'userpass' } }],
    ['an address without TLS', { address: 'http://vault.invalid', auth: TOKEN }],
    ['a password in the address', { address: 'https://a:b@vault.invalid', auth: TOKEN }],
    ['an authority that is none', { address: 'https://vault.invalid', auth: TOKEN, ca: 'none' }],
    ['a member that it does not know', { address: 'https://vault.invalid', auth: TOKEN, insecure: true }],
    ['more than a credential has', 'x'.repeat(65_537)],
  ])('refuses a credential with %s', async (_what, content) => {
    await guest.credential('vault', 'credential.json', content);
    const error = await failureOf(async () => await guest.get('app/database', {}));
    expect(error).toMatchObject({ code: 'CREDENTIALS_MALFORMED' });
    expect(error.message).not.toContain(VAULT_TOKEN);
  });
});

describe('a Vault in trouble', () => {
  itFailsAsItsServiceDoes(() => ({
    mood: vault.mood,
    requests: () => vault.seen.length,
    run: async () => await guest.get('app/database', {}),
    renewsToken: false,
    secrets: [VAULT_TOKEN, 'second', 'permission denied'],
  }));
});
