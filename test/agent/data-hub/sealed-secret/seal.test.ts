import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KmsDrivers } from '../../../../agent/data-hub/kms/kms.ts';
import { writeSigningKey } from '../../../../agent/data-hub/sealed-secret/key-files.ts';
import { type SecretSigner, sealEnvelope, sealVault } from '../../../../agent/data-hub/sealed-secret/seal.ts';
import {
  parseSigningKey,
  parseVerificationKey,
} from '../../../../agent/data-hub/sealed-secret/signing-key.ts';
import { createUnseal } from '../../../../agent/data-hub/sealed-secret/unseal.ts';

let folder: string;
let signer: SecretSigner;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'seal-'));
  const { privateFile } = await writeSigningKey('owner', folder);
  signer = { kid: 'owner', key: parseSigningKey(readFileSync(privateFile)) };
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const turn = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff);
const drivers: KmsDrivers = new Map([
  [
    'fake',
    {
      createGetter: async () => ({ getSecret: async (name) => Buffer.from(`content of ${name}`) }),
      createDecrypter: async () => ({
        decrypt: async (ciphertext, keyId, { iv }) => {
          expect([keyId, iv]).toEqual(['key', 'v']);
          return turn(ciphertext);
        },
      }),
    },
  ],
]);

async function unseal(secret: string): Promise<string> {
  const verificationKeys = async () => parseVerificationKey(readFileSync(join(folder, 'owner-public.json')));
  return Buffer.from(await createUnseal({ verificationKeys, drivers })(Buffer.from(secret))).toString();
}

test('keygen, seal, unseal: a name', async () => {
  expect(await unseal(sealVault('one', { provider: 'fake' }, signer))).toBe('content of one');
});

test('keygen, seal, unseal: an envelope', async () => {
  const encrypt = async (key: Uint8Array) => ({
    ciphertext: turn(key),
    keyId: 'key',
    annotations: { iv: 'v' },
  });
  const seal = async (): Promise<string> =>
    await sealEnvelope(Buffer.from('content'), encrypt, { provider: 'fake' }, signer);
  expect(await unseal(await seal())).toBe('content');
  expect(await seal()).not.toBe(await seal());
});

test.each(['', '0', '00', '000'].map((name) => `n${name}`))('parts have no padding: %s', (name) => {
  expect(sealVault(name, { provider: 'fake' }, signer)).toMatch(/^sealed(?:\.[A-Za-z0-9_-]+){3}$/);
});

test('both optional members are written, since upstream’s reader demands them (C5)', () => {
  const payload = sealVault('one', { provider: 'fake' }, signer).split('.')[2]!;
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({
    version: '0.1.0',
    type: 'vault',
    name: 'one',
    provider: 'fake',
    provider_settings: {},
    annotations: {},
  });
});

test('what no guest would read is not sealed', () => {
  expect(() => sealVault('', { provider: 'fake' }, signer)).toThrow(
    expect.objectContaining({ code: 'SEALED_SECRET_PAYLOAD_MALFORMED' }),
  );
});

test('only its owner reads the private key, whatever the mask of the process (C24)', async () => {
  const mask = process.umask(0);
  try {
    const { privateFile, publicFile } = await writeSigningKey('other', folder);
    expect(statSync(privateFile).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(privateFile, 'utf8'))).toMatchObject({
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      use: 'sig',
      kid: 'other',
      d: expect.any(String) as string,
    });
    expect(Object.keys(JSON.parse(readFileSync(publicFile, 'utf8')) as object)).toEqual([
      'kty',
      'crv',
      'alg',
      'use',
      'kid',
      'x',
      'y',
    ]);
  } finally {
    process.umask(mask);
  }
});

test('a key is never overwritten', async () => {
  const before = readFileSync(join(folder, 'owner-private.json'), 'utf8');
  await expect(writeSigningKey('owner', folder)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(join(folder, 'owner-private.json'), 'utf8')).toBe(before);
});

test.each(['../owner', '.owner', '', 'a/b'])('a kid that is no file name makes no key: %s', async (kid) => {
  await expect(writeSigningKey(kid, folder)).rejects.toMatchObject({ code: 'SIGNING_KEY_NOT_ALLOWED' });
});

test('a public key signs nothing', () => {
  expect(() => parseSigningKey(readFileSync(join(folder, 'owner-public.json')))).toThrow(
    expect.objectContaining({ code: 'SIGNING_KEY_MALFORMED' }),
  );
});
