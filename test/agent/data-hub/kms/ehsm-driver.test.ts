import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EHSM_API_KEY, EHSM_APP_ID, type FakeEhsm, startFakeEhsm } from '../../../fakes/fake-ehsm.ts';
import { createFakeAuthority, type FakeAuthority } from '../../../fakes/fake-tls.ts';
import { createKmsGuest, failureOf, itFailsAsItsServiceDoes, KEY, type KmsGuest } from './kms-setup.ts';

const KEY_ID = 'c2VjcmV0LWtleQ==';
const FILE = `credential_${EHSM_APP_ID}.json`;

let authority: FakeAuthority;
let ehsm: FakeEhsm;
let guest: KmsGuest;
let settings: { readonly app_id: string; readonly endpoint: string };

beforeAll(async () => {
  authority = await createFakeAuthority();
});

beforeEach(async () => {
  ehsm = await startFakeEhsm(await authority.issue());
  settings = { app_id: EHSM_APP_ID, endpoint: ehsm.url };
  guest = await createKmsGuest('eHSM'); // row C7 of the defects: upstream's hub does not have this provider
  await credential();
});

afterEach(async () => {
  await ehsm.close();
  await guest.close();
});

async function credential(change: object = {}): Promise<void> {
  const good = { AppId: EHSM_APP_ID, ApiKey: EHSM_API_KEY, Endpoint: ehsm.url, ca: authority.pem };
  await guest.credential('ehsm', FILE, { ...good, ...change });
}

it('decrypts what it has encrypted, bound to what it was bound to', async () => {
  const encrypted = await guest.encrypt(KEY_ID, settings, { aad: 'YWFk' });
  expect(await guest.decrypt(encrypted, settings)).toEqual(KEY);
  await expect(guest.decrypt({ ...encrypted, annotations: {} }, settings)).rejects.toMatchObject({
    code: 'KMS_REQUEST_REFUSED',
  });
});

it('signs each attempt anew', async () => {
  ehsm.mood(503, 1);
  await guest.encrypt(KEY_ID, settings);
  const nonces = ehsm.seen.map(({ text }) => (JSON.parse(text) as { readonly nonce: string }).nonce);
  expect(new Set(nonces).size).toBe(2);
});

it('keeps no secrets', async () => {
  await expect(guest.get('database', settings)).rejects.toMatchObject({ code: 'PROVIDER_CANNOT_GET' });
});

describe('which server a request is signed for', () => {
  it.each([
    ['another server than the credential’s', { endpoint: 'https://elsewhere.invalid' }, {}, 'KMS_UNTRUSTED'],
    ['a credential for no server', {}, { Endpoint: undefined }, 'CREDENTIALS_MALFORMED'],
    [
      'a server without TLS',
      { endpoint: 'http://ehsm.invalid' },
      { Endpoint: 'http://ehsm.invalid' },
      'CREDENTIALS_MALFORMED',
    ],
    ['a server that no authority vouches for', {}, { ca: undefined }, 'KMS_UNTRUSTED'],
    ['the credential of another application', {}, { AppId: 'other' }, 'CREDENTIALS_MALFORMED'],
    ['an application elsewhere', { app_id: '../x' }, {}, 'KMS_NAME_REFUSED'],
    ['an application without credential', { app_id: 'other' }, {}, 'CREDENTIALS_MISSING'],
  ])('refuses %s, and nothing is sent', async (_what, settingsChange, credentialChange, code) => {
    await credential(credentialChange);
    const error = await failureOf(
      async () => await guest.encrypt(KEY_ID, { ...settings, ...settingsChange }),
    );
    expect(error).toMatchObject({ code });
    expect(error.message).not.toContain(EHSM_API_KEY);
    expect(ehsm.seen).toHaveLength(0);
  });

  it('is denied with another key', async () => {
    await credential({ ApiKey: 'another' });
    await expect(guest.encrypt(KEY_ID, settings)).rejects.toMatchObject({ code: 'KMS_DENIED' });
  });
});

describe('an eHSM in trouble', () => {
  it.each([
    [401, 'KMS_DENIED'],
    [404, 'KMS_NOT_FOUND'],
    [400, 'KMS_REQUEST_REFUSED'],
    [500, 'KMS_UNAVAILABLE'],
  ])('that answers %i inside of its reply: %s', async (inside, code) => {
    ehsm.code(inside);
    const error = await failureOf(async () => await guest.encrypt(KEY_ID, settings));
    expect(error).toMatchObject({ code });
    expect(error.message).not.toContain(EHSM_API_KEY);
  });

  itFailsAsItsServiceDoes(() => ({
    mood: ehsm.mood,
    requests: () => ehsm.seen.length,
    run: async () => await guest.encrypt(KEY_ID, settings),
    renewsToken: false,
    secrets: [EHSM_API_KEY, 'not with'],
  }));
});
