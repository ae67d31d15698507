import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  fillToken,
  findSoftHsm,
  HSM_LABEL,
  HSM_PIN,
  type SoftHsm,
  startSoftHsm,
} from '../../../fakes/run-softhsm.ts';
import { createKmsGuest, failureOf, KEY, type KmsGuest } from './kms-setup.ts';

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const library = await findSoftHsm();
if (library === undefined && !mustRun)
  console.warn('no softhsm2 or pkcs11js: PKCS#11 is not tested with a token');

/** All that SoftHSM has of OAEP. */
const RSA = { mechanism: 'RSA-OAEP' };
const AES = { mechanism: 'A256GCM' };

let guest: KmsGuest;

beforeEach(async () => {
  guest = await createKmsGuest('pkcs11');
});

afterEach(async () => {
  await guest.close();
});

describe.skipIf(library === undefined && !mustRun)('a token in software', () => {
  let hsm: SoftHsm;

  beforeAll(async () => {
    hsm = await startSoftHsm(library ?? '');
    await fillToken(hsm.module);
  });

  afterAll(async () => {
    await hsm.stop();
  });

  const credential = async (change: object = {}): Promise<void> => {
    const good = { module: hsm.module, token_label: HSM_LABEL, pin: HSM_PIN };
    await guest.credential('pkcs11', 'credential.json', { ...good, ...change });
  };

  beforeEach(async () => {
    await credential();
  });

  it.each([
    ['rsa', RSA],
    ['aes', AES],
  ])('decrypts what it has encrypted with the key %s', async (keyId, settings) => {
    const encrypted = await guest.encrypt(keyId, settings);
    expect(await guest.decrypt(encrypted, settings)).toEqual(KEY);
  });

  it('decrypts at the same time as others', async () => {
    const encrypted = await guest.encrypt('aes', AES);
    const all = await Promise.all(Array.from({ length: 8 }, async () => await guest.decrypt(encrypted, AES)));
    expect(all).toEqual(Array.from({ length: 8 }, () => KEY));
  });

  it('gets a data object', async () => {
    expect(await guest.get('database', {})).toBe('a secret of the token');
  });

  it.each([
    [
      'a ciphertext that was altered',
      (bytes: Uint8Array) => bytes.map((byte, index) => (index === 3 ? byte ^ 1 : byte)),
    ],
    ['half a tag', (bytes: Uint8Array) => bytes.subarray(0, -8)],
    ['no ciphertext', () => new Uint8Array(0)],
  ])('refuses %s', async (_what, change) => {
    const encrypted = await guest.encrypt('aes', AES);
    const error = await failureOf(
      async () => await guest.decrypt({ ...encrypted, ciphertext: change(encrypted.ciphertext) }, AES),
    );
    expect(error.name).toBe('KmsError');
  });

  it.each([
    ['another iv', { iv: Buffer.alloc(12).toString('base64') }, undefined],
    ['an iv of another length', { iv: 'AAAA' }, 'PROVIDER_ANNOTATIONS_MALFORMED'],
    ['no iv', {}, 'PROVIDER_ANNOTATIONS_MALFORMED'],
    ['an iv that is no base64', { iv: '-' }, 'PROVIDER_ANNOTATIONS_MALFORMED'],
  ])('refuses %s', async (_what, annotations, code) => {
    const encrypted = await guest.encrypt('aes', AES);
    const error = await failureOf(async () => await guest.decrypt({ ...encrypted, annotations }, AES));
    expect(error).toMatchObject({ name: 'KmsError', ...(code !== undefined && { code }) });
  });

  it.each([
    ['a key that is not there', 'other', AES],
    ['one of two keys of that name', 'twin', AES],
    ['a key of another kind', 'rsa', AES],
    ['a key that is for signatures', 'sign', RSA],
  ])('does not take %s', async (_what, keyId, settings) => {
    await expect(guest.encrypt(keyId, settings)).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
  });

  it('does not wait for a secret that is not there', async () => {
    await expect(guest.get('other', {})).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
  });

  it.each([
    ['another pin', { pin: '999999' }, 'KMS_DENIED'],
    ['another token', { token_label: 'nobody' }, 'KMS_NOT_FOUND'],
    ['a library that is none', { module: '/etc/hostname' }, 'CREDENTIALS_MALFORMED'],
    ['a library of a relative path', { module: 'libsofthsm2.so' }, 'CREDENTIALS_MALFORMED'],
  ])('refuses %s, and says no pin', async (_what, change, code) => {
    await credential(change);
    const error = await failureOf(async () => await guest.encrypt('aes', AES));
    expect(error).toMatchObject({ code });
    expect(`${error.message} ${String(error.cause)}`).not.toMatch(/999999|123456/);
  });

  it('uses the token that the settings name', async () => {
    const other = { module: hsm.module, token_label: 'other', pin: HSM_PIN };
    await guest.credential('pkcs11', 'credential_other.json', other);
    await expect(guest.get('database', { token: 'other' })).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
    await expect(guest.get('database', { token: '../x' })).rejects.toMatchObject({
      code: 'KMS_NAME_REFUSED',
    });
  });
});

it.each([
  ['PKCS#1 v1.5', { mechanism: 'RSA1_5' }],
  ['a library in the settings', { module: '/tmp/library.so' }],
])('offers no %s', async (_what, settings) => {
  await expect(guest.encrypt('aes', settings)).rejects.toMatchObject({ code: 'PROVIDER_SETTINGS_MALFORMED' });
});
