import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AZURE_APPLICATION,
  AZURE_SECRET,
  type FakeKeyVault,
  startFakeKeyVault,
} from '../../../fakes/fake-azure-key-vault.ts';
import { createKmsGuest, failureOf, itFailsAsItsServiceDoes, KEY, type KmsGuest } from './kms-setup.ts';

let vault: FakeKeyVault;
let guest: KmsGuest;

const credential = async (auth: object, more: object = {}): Promise<void> => {
  await guest.credential('azure', 'credential.json', {
    vault_url: vault.url,
    auth: { ...AZURE_APPLICATION, authority: vault.url, ...auth },
    ...more,
  });
};
const withSecret = { method: 'client_secret', client_secret: AZURE_SECRET };
const tokens = (): number => vault.seen.filter(({ path }) => path.endsWith('/token')).length;

beforeEach(async () => {
  vault = await startFakeKeyVault();
  guest = await createKmsGuest('azure');
  await credential(withSecret);
});

afterEach(async () => {
  await vault.close();
  await guest.close();
});

describe('keys', () => {
  it.each([[{}], [{ algorithm: 'RSA-OAEP' }], [{ operation: 'unwrap' }]])(
    'decrypts what it has encrypted, with the version that did it (%j)',
    async (settings) => {
      const encrypted = await guest.encrypt('disk', settings);
      expect(encrypted.keyId).toMatch(/^disk\/[0-9a-f]{32}$/);
      expect(await guest.decrypt(encrypted, settings)).toEqual(KEY);
      expect(tokens()).toBe(1);
    },
  );

  it('of an identifier that is a URL of the vault', async () => {
    const encrypted = await guest.encrypt(`${vault.url}/keys/disk`, {});
    expect(await guest.decrypt({ ...encrypted, keyId: `${vault.url}/keys/${encrypted.keyId}` }, {})).toEqual(
      KEY,
    );
  });

  it.each([
    'https://other.vault.azure.net/keys/disk',
    'disk/../../secrets/database',
    'disk?api-version=1',
    'disk/newest',
    '',
  ])('asks for no key named %j', async (keyId) => {
    const encrypted = { ciphertext: KEY, keyId, annotations: {} };
    await expect(guest.decrypt(encrypted, {})).rejects.toMatchObject({ code: 'KMS_NAME_REFUSED' });
    expect(vault.seen).toHaveLength(0);
  });

  it('does not decrypt with another algorithm', async () => {
    const encrypted = await guest.encrypt('disk', {});
    await expect(guest.decrypt(encrypted, { algorithm: 'RSA-OAEP' })).rejects.toMatchObject({
      code: 'KMS_REQUEST_REFUSED',
    });
  });

  it.each([
    ['RSA1_5', { algorithm: 'RSA1_5' }],
    ['an address', { vault_url: 'https://elsewhere.invalid' }],
  ])('refuses %s in the settings', async (_what, settings) => {
    await expect(guest.encrypt('disk', settings)).rejects.toMatchObject({
      code: 'PROVIDER_SETTINGS_MALFORMED',
    });
  });
});

describe('secrets', () => {
  it('gets the newest, a version, and binary ones', async () => {
    expect(await guest.get('database', {})).toBe('the newest');
    const version = '0123456789abcdef0123456789abcdef';
    expect(await guest.get('database', {}, { version })).toBe('of a version');
    expect(await guest.get('binary', {}, { encoding: 'base64' })).toBe('\u0000\u0001\u0002');
  });

  it.each([
    ['another name', 'other', {}, 'KMS_NOT_FOUND'],
    ['text as base64', 'database', { encoding: 'base64' }, 'KMS_ANSWER_MALFORMED'],
    ['a version that is none', 'database', { version: '../..' }, 'PROVIDER_ANNOTATIONS_MALFORMED'],
  ])('refuses %s', async (_what, name, annotations, code) => {
    await expect(guest.get(name, {}, annotations)).rejects.toMatchObject({ code });
  });
});

describe('proof of who asks', () => {
  it('signs with a certificate', async () => {
    const RSA = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    };
    const keys = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({ name: 'CN=guest', keys });
    await vault.close();
    vault = await startFakeKeyVault(KeyObject.from(keys.publicKey));
    const privateKey = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    const auth = {
      method: 'client_certificate',
      certificate: certificate.toString('pem'),
      private_key: x509.PemConverter.encode(privateKey, 'PRIVATE KEY'),
    };
    await credential(auth);
    expect(await guest.get('database', {})).toBe('the newest');

    await credential({ ...auth, private_key: auth.private_key.slice(0, 100) });
    await expect(guest.get('database', {})).rejects.toMatchObject({ code: 'CREDENTIALS_MALFORMED' });
  });

  it('is denied with another secret', async () => {
    await credential({ ...withSecret, client_secret: 'another' });
    await expect(guest.get('database', {})).rejects.toMatchObject({ code: 'KMS_DENIED' });
    expect(tokens()).toBe(1);
  });

  it('asks for a token again when it is about to end', async () => {
    await guest.get('database', {});
    guest.pass(3500);
    await guest.get('database', {});
    expect(tokens()).toBe(1);
    guest.pass(75);
    await guest.get('database', {});
    expect(tokens()).toBe(2);
  });

  it('says nothing of the credential', async () => {
    await credential({ ...withSecret, method: AZURE_SECRET });
    const error = await failureOf(async () => await guest.get('database', {}));
    expect(error).toMatchObject({ code: 'CREDENTIALS_MALFORMED' });
    expect(error.message).not.toContain(AZURE_SECRET);
  });
});

describe('a vault in trouble', () => {
  itFailsAsItsServiceDoes(() => ({
    mood: vault.mood,
    requests: () => vault.seen.length,
    run: async () => await guest.get('database', {}),
    renewsToken: true,
    secrets: [AZURE_SECRET, 'an access token', 'the newest', 'not with'],
  }));
});
