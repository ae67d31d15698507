import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type CredentialFetch,
  startCredentialFetch,
} from '../../../../agent/data-hub/credentials/credential-fetch.ts';
import {
  credentialComponents,
  writeCredential,
} from '../../../../agent/data-hub/credentials/credential-path.ts';

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'credentials-'));
  folder = join(root, 'kbs');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('where credentials are written', () => {
  test('in new folders, for their owner only, whatever the mask of the process (C20)', async () => {
    const mask = process.umask(0);
    try {
      const path = join(folder, 'kms-credential', 'aliyun', 'config.toml');
      await writeCredential(path, Buffer.from('first'), folder);
      await writeCredential(path, Buffer.from('second'), folder);
      expect(readFileSync(path, 'utf8')).toBe('second');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(folder, 'kms-credential')).mode & 0o777).toBe(0o700);
      expect(readdirSync(join(folder, 'kms-credential', 'aliyun'))).toEqual(['config.toml']);
    } finally {
      process.umask(mask);
    }
  });

  test('upstream’s place is the default', () => {
    const path = '/run/confidential-containers/cdh/kbs/kms-credential/aliyun/config.toml';
    expect(credentialComponents(path)).toEqual(['kms-credential', 'aliyun', 'config.toml']);
  });

  test.each([
    ['a folder that begins alike (C20)', '/run/confidential-containers/cdh/kbsX/a'],
    ['the folder itself', '/run/confidential-containers/cdh/kbs'],
    ['the folder itself, with a slash', '/run/confidential-containers/cdh/kbs/'],
    ['a way out', '/run/confidential-containers/cdh/kbs/../sealed-secret/a'],
    ['a way out at the end', '/run/confidential-containers/cdh/kbs/a/..'],
    ['a dot', '/run/confidential-containers/cdh/kbs/./a'],
    ['an empty name', '/run/confidential-containers/cdh/kbs//a'],
    ['a way that only leads there', '/run/../run/confidential-containers/cdh/kbs/a'],
    ['a relative path', 'run/confidential-containers/cdh/kbs/a'],
    ['somewhere else', '/etc/passwd'],
    ['a NUL', '/run/confidential-containers/cdh/kbs/a\0b'],
  ])('not in %s', (_what, path) => {
    expect(() => credentialComponents(path)).toThrow(
      expect.objectContaining({ code: 'CREDENTIAL_PATH_REFUSED' }),
    );
  });

  test('not through a link (C20)', async () => {
    mkdirSync(join(root, 'outside'));
    mkdirSync(folder);
    symlinkSync('../outside', join(folder, 'linked'));
    await expect(
      writeCredential(join(folder, 'linked', 'a'), Buffer.from('x'), folder),
    ).rejects.toMatchObject({
      code: 'CREDENTIAL_PATH_REFUSED',
    });
    expect(readdirSync(join(root, 'outside'))).toEqual([]);
  });

  test('in the place of a link, and not where it leads (C20)', async () => {
    mkdirSync(folder);
    writeFileSync(join(root, 'outside'), 'before');
    symlinkSync('../outside', join(folder, 'a'));
    await writeCredential(join(folder, 'a'), Buffer.from('x'), folder);
    expect([readFileSync(join(root, 'outside'), 'utf8'), readFileSync(join(folder, 'a'), 'utf8')]).toEqual([
      'before',
      'x',
    ]);
  });
});

describe('when they are fetched', () => {
  const failures: number[] = [];
  const started: CredentialFetch[] = [];
  afterEach(() => {
    failures.length = 0;
    for (const fetch of started.splice(0)) fetch.close();
  });

  function fetchFrom(down: Map<string, number>, names: readonly string[]): CredentialFetch {
    const fetch = startCredentialFetch(
      names.map((name) => ({ path: join(folder, name), resourceUri: `kbs:///${name}` })),
      {
        getResource: async (uri) => {
          const left = down.get(uri as string) ?? 0;
          down.set(uri as string, left - 1);
          if (left > 0) throw new Error('down');
          return Buffer.from(`content of ${uri as string}`);
        },
        folder,
        onFailure: (index) => failures.push(index),
        firstPauseMilliseconds: 1,
      },
    );
    started.push(fetch);
    return fetch;
  }

  test('each until it is there (C21)', async () => {
    await fetchFrom(new Map([['kbs:///b', 3]]), ['a', 'b']).done;
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('content of kbs:///a');
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('content of kbs:///b');
    expect(failures).toEqual([1, 1, 1]);
  });

  test('one that does not come holds up no other, and is given up at the end (C21)', async () => {
    const fetch = fetchFrom(new Map([['kbs:///a', Number.POSITIVE_INFINITY]]), ['a', 'b']);
    while (failures.length < 3) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('content of kbs:///b');
    fetch.close();
    await fetch.done;
  });
});
