import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUnwrapKey } from '../../../../agent/data-hub/key-unwrap/unwrap-key.ts';
import {
  createDecrypter,
  createEncrypter,
  createGetter,
  type KmsDrivers,
  type ProviderSettings,
} from '../../../../agent/data-hub/kms/kms.ts';
import { createKmsDrivers } from '../../../../agent/data-hub/kms/kms-drivers.ts';
import { loadOptionalPackage } from '../../../../agent/data-hub/kms/optional-package.ts';
import { sealEnvelope, sealVault } from '../../../../agent/data-hub/sealed-secret/seal.ts';
import {
  createSigningKey,
  parseSigningKey,
  parseVerificationKey,
} from '../../../../agent/data-hub/sealed-secret/signing-key.ts';
import { createUnseal } from '../../../../agent/data-hub/sealed-secret/unseal.ts';
import { type FakeVault, startFakeVault, VAULT_TOKEN } from '../../../fakes/fake-vault.ts';
import { AT, createKmsGuest, FAST, KEY, type KmsGuest } from './kms-setup.ts';

const PROVIDERS = ['aliyun', 'aws', 'azure', 'ehsm', 'gcp', 'pkcs11', 'vault'];

let guest: KmsGuest;
let drivers: KmsDrivers;

beforeEach(async () => {
  guest = await createKmsGuest('vault');
  drivers = createKmsDrivers({
    userAgent: 'test',
    clock: () => AT,
    credentialFolder: guest.folder,
    attempts: FAST,
  });
});

afterEach(async () => {
  await guest.close();
});

describe('a provider', () => {
  it('is one of these', () => {
    expect([...drivers.keys()]).toEqual(PROVIDERS);
  });

  it.each([createDecrypter, createEncrypter, createGetter])(
    'that is unknown is named, with those that are known',
    async (create) => {
      const failure = create(drivers, 'Hashi\nCorp', {});
      await expect(failure).rejects.toMatchObject({
        code: 'PROVIDER_UNKNOWN',
        message: `Unsupported provider: expected one of ${PROVIDERS.join(', ')}, got 'Hashi?Corp'`,
      });
    },
  );

  it.each(['__proto__', 'constructor', 'toString', ''])('is not %j', async (provider) => {
    await expect(createGetter(drivers, provider, {})).rejects.toMatchObject({ code: 'PROVIDER_UNKNOWN' });
  });

  it.each(PROVIDERS)(
    '%s says which credential it does not have, in any case of its name',
    async (provider) => {
      const settings: Readonly<Record<string, ProviderSettings>> = {
        aliyun: { client_type: 'client_key', client_key_id: 'a', kms_instance_id: 'b' },
        aws: { region: 'eu-central-1' },
        ehsm: { app_id: 'a', endpoint: 'https://ehsm.invalid' },
      };
      const own = settings[provider] ?? {};
      await expect(createDecrypter(drivers, provider.toUpperCase(), own)).rejects.toMatchObject({
        code: 'CREDENTIALS_MISSING',
        message: expect.stringContaining(`credentials of ${provider}`) as string,
      });
    },
  );

  it('whose package is not installed names it', async () => {
    const missing = loadOptionalPackage('aws', 'no-such-package', async () => {
      const name = 'no-such-package';
      return (await import(name)) as unknown;
    });
    await expect(missing).rejects.toMatchObject({
      code: 'PROVIDER_PACKAGE_MISSING',
      message: expect.stringContaining('no-such-package') as string,
    });
  });
});

it('a guest without the optional packages starts, has loaded none, and names what a secret needs', async () => {
  await guest.credential('aws', 'credential.json', { access_key_id: 'a', secret_access_key: 'b' });
  await guest.credential('pkcs11', 'credential.json', { module: '/a.so', token_label: 'a', pin: 'b' });
  const program = join(import.meta.dirname, 'without-packages.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, guest.folder]);
  expect(JSON.parse(stdout)).toEqual({
    loadedAtStart: [],
    failures: [
      ['PROVIDER_PACKAGE_MISSING', '@aws-sdk/client-kms'],
      ['PROVIDER_PACKAGE_MISSING', '@aws-sdk/client-secrets-manager'],
      ['PROVIDER_PACKAGE_MISSING', 'pkcs11js'],
    ],
  });
});

describe('a secret sealed by one of them', () => {
  let vault: FakeVault;

  beforeEach(async () => {
    vault = await startFakeVault();
    const auth = { method: 'token', token: VAULT_TOKEN };
    await guest.credential('vault', 'credential.json', { address: vault.url, namespace: 'team', auth });
  });

  afterEach(async () => {
    await vault.close();
  });

  const texts = createSigningKey('owner');
  const signer = { kid: 'owner', key: parseSigningKey(Buffer.from(texts.privateText)) };
  const unseal = async (sealed: string): Promise<string> => {
    const verificationKeys = async () =>
      await Promise.resolve(parseVerificationKey(Buffer.from(texts.publicText)));
    return Buffer.from(await createUnseal({ verificationKeys, drivers })(Buffer.from(sealed))).toString();
  };

  it('is unsealed: an envelope', async () => {
    const encrypter = await createEncrypter(drivers, 'vault', {});
    const sealed = await sealEnvelope(
      Buffer.from('a secret'),
      async (key) => await encrypter.encrypt(key, 'disk', { context: 'Y29udGV4dA==' }),
      { provider: 'vault' },
      signer,
    );
    expect(await unseal(sealed)).toBe('a secret');
  });

  it('is unsealed: a name', async () => {
    const provider = { provider: 'vault', annotations: { field: 'password' } };
    expect(await unseal(sealVault('app/database', provider, signer))).toBe('second');
  });

  it('unwraps the key of an image, of version 2 of the packet', async () => {
    const encrypted = await guest.encrypt('disk', {});
    const packet = {
      version: '0.1.0',
      kid: 'disk',
      wrapped_data: Buffer.from(encrypted.ciphertext).toString('base64'),
      provider: 'vault',
    };
    const annotation = Buffer.from(JSON.stringify(packet)).toString('base64');
    const getResource = async (): Promise<never> => await Promise.reject(new Error('no broker is asked'));
    const unwrapKey = createUnwrapKey({ getResource, drivers, form: 'integers' });
    const output = await unwrapKey(
      Buffer.from(JSON.stringify({ op: 'keyunwrap', keyunwrapparams: { annotation } })),
    );
    expect(JSON.parse(Buffer.from(output).toString())).toEqual({ keyunwrapresults: { optsdata: [...KEY] } });
  });
});
