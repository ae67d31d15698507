import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAdminAuth } from '../../../server/admin/admin-auth.ts';
import {
  loadAdminKey,
  loadOrCreateAdminKey,
  localIdentityProvider,
  mintAdminToken,
} from '../../../server/admin/admin-key.ts';
import { AT, NOW } from '../token/fake-issuer.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-admin-key-'));
  file = join(folder, 'data', 'admin.key');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('loadOrCreateAdminKey', () => {
  it("makes a key that is its owner's alone, and keeps it", async () => {
    const made = await loadOrCreateAdminKey(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await loadOrCreateAdminKey(file)).keyId).toBe(made.keyId);
    expect((await loadAdminKey(file)).keyId).toBe(made.keyId);
  });

  it('makes one key when several start at once, and leaves nothing else behind', async () => {
    const keys = await Promise.all([1, 2, 3, 4].map(async () => await loadOrCreateAdminKey(file)));
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(1);
    expect(await readdir(join(folder, 'data'))).toEqual(['admin.key']);
  });
});

describe('loadAdminKey', () => {
  it.each([0o644, 0o640, 0o604, 0o660])('refuses a file of mode %o', async (mode) => {
    await loadOrCreateAdminKey(file);
    await chmod(file, mode);
    await expect(loadAdminKey(file)).rejects.toMatchObject({
      code: 'ADMIN_KEY_UNUSABLE',
      message: expect.stringContaining(`(chmod 600), got mode ${mode.toString(8)}`) as string,
    });
  });

  it.each([
    ['no key', 'secret text'],
    [
      'another kind of key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
  ])('refuses %s without quoting it', async (_what, content) => {
    await loadOrCreateAdminKey(file);
    await writeFile(file, content);
    await expect(loadAdminKey(file)).rejects.toMatchObject({
      code: 'ADMIN_KEY_UNUSABLE',
      message: expect.not.stringContaining('secret') as string,
    });
  });

  it('refuses a file that is not there', async () => {
    await expect(loadAdminKey(file)).rejects.toMatchObject({ code: 'ADMIN_KEY_UNUSABLE' });
  });
});

describe('mintAdminToken', () => {
  it('makes a token that another implementation and our own server accept', async () => {
    const key = await loadOrCreateAdminKey(file);
    const token = mintAdminToken(key, { role: 'admin', subject: 'cli', lifetimeSeconds: 60, at: AT });
    const { payload } = await jwtVerify(token, createPublicKey(key.privateKey), {
      currentDate: AT,
      audience: 'verigo',
    });
    expect(payload).toEqual({
      iss: 'verigo-admin',
      aud: ['verigo'],
      sub: 'cli',
      role: 'admin',
      iat: NOW,
      exp: NOW + 60,
    });
    const authorize = createAdminAuth({
      mode: 'bearer-jwt',
      identityProviders: [localIdentityProvider(key)],
      acls: [{ role: 'admin', allowedEndpoints: '^/.*$' }],
    });
    await expect(authorize({ authorization: `Bearer ${token}`, path: '/x' }, AT)).resolves.toEqual({
      subject: 'cli',
      role: 'admin',
    });
  });
});
