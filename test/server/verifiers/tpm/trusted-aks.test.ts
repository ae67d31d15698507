import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTrustedAkFolder } from '../../../../server/verifiers/tpm/trusted-ak-folder.ts';
import { readTrustedAks, trustedAkOf } from '../../../../server/verifiers/tpm/trusted-aks.ts';
import { createFakeAk } from '../../../fakes/tpm-quote.ts';
import { digestOfKey, spkiOf } from './tpm-setup.ts';

const first = createFakeAk().publicKey;
const second = createFakeAk().publicKey;
const pem = (key: typeof first): string => key.export({ type: 'spki', format: 'pem' }).toString();

describe('readTrustedAks', () => {
  it('tells digests of keys from names by their length', () => {
    const names = [`000b${'a'.repeat(64)}`, `000c${'b'.repeat(96)}`, `000d${'c'.repeat(128)}`];
    expect(readTrustedAks(['F'.repeat(64), ` ${names[0]!} `, ...names.slice(1)])).toEqual({
      keyDigests: new Set(['f'.repeat(64)]),
      names: new Set(names),
    });
  });

  it.each(['', 'f'.repeat(63), 'g'.repeat(64), `0004${'a'.repeat(40)}`, `000c${'a'.repeat(64)}`])(
    'refuses %j',
    (entry) => {
      expect(() => readTrustedAks(['f'.repeat(64), entry])).toThrow(
        expect.objectContaining({ code: 'TRUSTED_AK_MALFORMED' }),
      );
    },
  );
});

describe('trustedAkOf', () => {
  it('reads PEM and DER', () => {
    expect(trustedAkOf(Buffer.from(pem(first)))).toBe(digestOfKey(first));
    expect(trustedAkOf(spkiOf(first))).toBe(digestOfKey(first));
  });

  it('refuses what is no public key', () => {
    for (const file of ['', 'a key', pem(first).slice(0, 100), '0']) {
      expect(() => trustedAkOf(Buffer.from(file))).toThrow(
        expect.objectContaining({ code: 'TRUSTED_AK_MALFORMED' }),
      );
    }
  });
});

describe('readTrustedAkFolder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'verigo-aks-'));
    await writeFile(join(folder, 'b.pem'), pem(first));
    await writeFile(join(folder, 'a.der'), spkiOf(second));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('reads every key, through links too, and passes over what begins with a dot', async () => {
    await mkdir(join(folder, '..data'));
    await symlink(join(folder, 'a.der'), join(folder, 'c.der'));
    const [a, b] = [digestOfKey(second), digestOfKey(first)];
    expect(await readTrustedAkFolder(folder, 3)).toEqual([a, b, a]);
  });

  it('refuses more keys than it may have, a folder that is none, and a file that is no key', async () => {
    await expect(readTrustedAkFolder(folder, 1)).rejects.toMatchObject({ code: 'TRUSTED_AKS_TOO_MANY' });
    await expect(readTrustedAkFolder(join(folder, 'x'), 1)).rejects.toMatchObject({
      code: 'TRUSTED_AKS_UNREADABLE',
    });
    await mkdir(join(folder, 'folder'));
    await expect(readTrustedAkFolder(folder, 9)).rejects.toMatchObject({ code: 'TRUSTED_AKS_UNREADABLE' });
    await rm(join(folder, 'folder'), { recursive: true });
    await writeFile(join(folder, 'c.pem'), 'no key');
    await expect(readTrustedAkFolder(folder, 9)).rejects.toMatchObject({
      code: 'TRUSTED_AK_MALFORMED',
      message: expect.stringContaining("'c.pem'") as unknown,
    });
    await writeFile(join(folder, 'c.pem'), pem(first).padEnd(16_385, '\n'));
    await expect(readTrustedAkFolder(folder, 9)).rejects.toMatchObject({ code: 'TRUSTED_AK_MALFORMED' });
  });
});
