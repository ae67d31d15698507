import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../../../agent/data-hub/kms/gcp/crc32c.ts';
import {
  type FakeGoogle,
  GOOGLE_KEY,
  GOOGLE_RSA_KEY,
  startFakeGoogle,
} from '../../../fakes/fake-google-kms.ts';
import { createKmsGuest, failureOf, itFailsAsItsServiceDoes, KEY, type KmsGuest } from './kms-setup.ts';

let google: FakeGoogle;
let guest: KmsGuest;

const tokens = (): number => google.seen.filter(({ path }) => path === '/token').length;

beforeEach(async () => {
  google = await startFakeGoogle();
  guest = await createKmsGuest('gcp');
  await guest.credential('gcp', 'credential.json', google.account);
});

afterEach(async () => {
  await google.close();
  await guest.close();
});

describe('keys', () => {
  it('decrypts what it has encrypted, bound to what it was bound to', async () => {
    const annotations = { additional_authenticated_data: 'YWFk' };
    const encrypted = await guest.encrypt(GOOGLE_KEY, {}, annotations);
    expect(await guest.decrypt(encrypted, {})).toEqual(KEY);
    await expect(guest.decrypt({ ...encrypted, annotations: {} }, {})).rejects.toMatchObject({
      code: 'KMS_REQUEST_REFUSED',
    });
    expect(tokens()).toBe(1);
  });

  it('decrypts with an asymmetric key by its version', async () => {
    const ciphertext = google.encryptForGuest(KEY);
    expect(await guest.decrypt({ ciphertext, keyId: GOOGLE_RSA_KEY, annotations: {} }, {})).toEqual(KEY);
  });

  it.each([
    'disk',
    `${GOOGLE_KEY}/cryptoKeyVersions/../..`,
    `${GOOGLE_KEY}:destroy`,
    `${GOOGLE_KEY}/x`,
    GOOGLE_KEY.replace('global', '..'),
    `${GOOGLE_KEY}?alt=media`,
  ])('asks for no key named %j', async (keyId) => {
    const encrypted = { ciphertext: KEY, keyId, annotations: {} };
    await expect(guest.decrypt(encrypted, {})).rejects.toMatchObject({ code: 'KMS_NAME_REFUSED' });
    expect(google.seen).toHaveLength(0);
  });

  it('refuses a plaintext, ciphertext or secret that arrives otherwise than it was sent', async () => {
    const encrypted = await guest.encrypt(GOOGLE_KEY, {});
    google.corrupt(true);
    const refusal = { code: 'KMS_ANSWER_MALFORMED' };
    await expect(guest.decrypt(encrypted, {})).rejects.toMatchObject(refusal);
    await expect(guest.encrypt(GOOGLE_KEY, {})).rejects.toMatchObject(refusal);
    await expect(guest.get('database', {})).rejects.toMatchObject(refusal);
  });

  it('sums as RFC 3720 does', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });
});

describe('secrets', () => {
  it.each([
    ['database', {}, 'the newest'],
    ['projects/verigo/secrets/database', {}, 'the newest'],
    ['database', { version: '1' }, 'the first'],
  ])('gets %s with %j', async (name, annotations, secret) => {
    expect(await guest.get(name, {}, annotations)).toBe(secret);
  });

  it.each([
    ['another name', 'other', {}, 'KMS_NOT_FOUND'],
    ['a name that leads upwards', 'projects/../secrets/database', {}, 'KMS_NAME_REFUSED'],
    ['a version that is none', 'database', { version: '../1' }, 'PROVIDER_ANNOTATIONS_MALFORMED'],
  ])('refuses %s', async (_what, name, annotations, code) => {
    await expect(guest.get(name, {}, annotations)).rejects.toMatchObject({ code });
  });
});

describe('proof of who asks', () => {
  it.each([
    ['no key', { private_key: 'none' }],
    ['another kind of account', { type: 'authorized_user' }],
    ['an address without TLS', { token_uri: 'http://oauth2.invalid/token' }],
  ])('refuses a credential with %s', async (_what, change) => {
    await guest.credential('gcp', 'credential.json', { ...google.account, ...change });
    const error = await failureOf(async () => await guest.get('database', {}));
    expect(error).toMatchObject({ code: 'CREDENTIALS_MALFORMED' });
    expect(error.message).not.toContain('PRIVATE KEY');
  });

  it('is refused with the key of another account', async () => {
    const other = await startFakeGoogle();
    await other.close();
    await guest.credential('gcp', 'credential.json', { ...google.account, private_key: other.privateKeyPem });
    await expect(guest.get('database', {})).rejects.toMatchObject({ code: 'KMS_REQUEST_REFUSED' });
  });

  it('uses the account that the settings name', async () => {
    await guest.credential('gcp', 'credential_backup.json', google.account);
    expect(await guest.get('database', { account: 'backup' })).toBe('the newest');
    await expect(guest.get('database', { account: '../x' })).rejects.toMatchObject({
      code: 'KMS_NAME_REFUSED',
    });
  });
});

describe('a Google in trouble', () => {
  itFailsAsItsServiceDoes(() => ({
    mood: google.mood,
    requests: () => google.seen.length,
    run: async () => await guest.get('database', {}),
    renewsToken: true,
    secrets: ['ya29', 'the newest', 'not with'],
  }));
});
