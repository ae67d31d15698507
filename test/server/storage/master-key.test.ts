import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadMasterKey, parseMasterKey } from '../../../server/storage/master-key.ts';

const bytes = Buffer.alloc(32, 7);

describe('parseMasterKey', () => {
  it('reads hex and base64 as the same key, named by its hash', () => {
    const key = parseMasterKey(bytes.toString('hex'));
    expect(key.id).toBe('4bb06f8e4e3a7715');
    expect(parseMasterKey(`${bytes.toString('base64')}\n`).id).toBe(key.id);
    expect(key.key.export()).toEqual(bytes);
  });

  it.each([
    ['nothing', ''],
    ['31 bytes', Buffer.alloc(31).toString('hex')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['a passphrase', 'correct horse battery staple'],
    ['64 characters that are not hex', 'z'.repeat(64)],
    ['a megabyte', 'A'.repeat(1 << 20)],
  ])('refuses %s and does not repeat it', (_what, text) => {
    expect(() => parseMasterKey(text)).toThrow(
      expect.objectContaining({ code: 'MASTER_KEY_MALFORMED' }) as Error,
    );
    if (text !== '') expect(() => parseMasterKey(text)).not.toThrow(text.slice(0, 20));
  });
});

describe('loadMasterKey', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'verigo-key-'));
    file = join(folder, 'data', 'master-key');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('makes a private file once and reads it ever after', async () => {
    const made = await loadMasterKey({ configured: undefined, file, mayCreate: true });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const read = await loadMasterKey({ configured: undefined, file, mayCreate: false });
    expect(read.id).toBe(made.id);
  });

  it('gives processes that start at once the same key', async () => {
    const source = { configured: undefined, file, mayCreate: true };
    const first = await loadMasterKey(source);
    const keys = await Promise.all([1, 2, 3].map(async () => await loadMasterKey(source)));
    expect(new Set(keys.map(({ id }) => id))).toEqual(new Set([first.id]));
  });

  it('prefers the configured key and then makes no file', async () => {
    const key = await loadMasterKey({ configured: bytes.toString('hex'), file, mayCreate: true });
    expect(key.key.export()).toEqual(bytes);
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes none where something is sealed already', async () => {
    await expect(loadMasterKey({ configured: undefined, file, mayCreate: false })).rejects.toMatchObject({
      code: 'MASTER_KEY_MISSING',
    });
  });

  it.each([0o644, 0o604, 0o620])('refuses a file of mode %o', async (mode) => {
    await loadMasterKey({ configured: undefined, file, mayCreate: true });
    await chmod(file, mode);
    await expect(loadMasterKey({ configured: undefined, file, mayCreate: true })).rejects.toMatchObject({
      code: 'MASTER_KEY_EXPOSED',
    });
  });

  it('refuses a file that was cut short', async () => {
    await loadMasterKey({ configured: undefined, file, mayCreate: true });
    await writeFile(file, 'AAAA');
    await expect(loadMasterKey({ configured: undefined, file, mayCreate: true })).rejects.toMatchObject({
      code: 'MASTER_KEY_MALFORMED',
    });
  });
});
