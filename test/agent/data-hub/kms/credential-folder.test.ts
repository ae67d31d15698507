import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type CredentialFolder,
  createCredentialFolder,
  fileNamePart,
  KMS_CREDENTIAL_FOLDER,
  readCredential,
} from '../../../../agent/data-hub/kms/credential-folder.ts';

let root: string;
let folder: CredentialFolder;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'verigo-credentials-'));
  await mkdir(join(root, 'vault'));
  folder = createCredentialFolder(root);
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const write = async (content: string | Uint8Array): Promise<void> => {
  await writeFile(join(root, 'vault', 'credential.json'), content);
};
const read = async (): Promise<unknown> =>
  await readCredential(folder, 'vault', 'credential.json', z.strictObject({ secret: z.string() }));

it('is where upstream’s is', () => {
  expect(KMS_CREDENTIAL_FOLDER).toBe('/run/confidential-containers/cdh/kbs/kms-credential');
  expect(createCredentialFolder().folderOf('aliyun')).toBe(`${KMS_CREDENTIAL_FOLDER}/aliyun`);
});

describe('a credential', () => {
  it('is read anew each time', async () => {
    await write('{"secret":"one"}');
    expect(await read()).toEqual({ secret: 'one' });
    await write('{"secret":"two"}');
    expect(await read()).toEqual({ secret: 'two' });
  });

  it('may be a link inside of the folder, as in a Kubernetes volume', async () => {
    await mkdir(join(root, 'vault', '..data'));
    await writeFile(join(root, 'vault', '..data', 'credential.json'), '{"secret":"one"}');
    await symlink('..data/credential.json', join(root, 'vault', 'credential.json'));
    expect(await read()).toEqual({ secret: 'one' });
  });

  it.each([
    [
      'is not there',
      async () => {
        await Promise.resolve();
      },
      'CREDENTIALS_MISSING',
    ],
    [
      'is a folder',
      async () => {
        await mkdir(join(root, 'vault', 'credential.json'));
      },
      'CREDENTIALS_MISSING',
    ],
    [
      'is a link out of the folder',
      async () => {
        await writeFile(join(root, 'elsewhere'), '{"secret":"one"}');
        await symlink('../elsewhere', join(root, 'vault', 'credential.json'));
      },
      'CREDENTIALS_MISSING',
    ],
    [
      'is no text',
      async () => {
        await write(Uint8Array.of(0xff));
      },
      'CREDENTIALS_MALFORMED',
    ],
    [
      'is no JSON',
      async () => {
        await write('a secret');
      },
      'CREDENTIALS_MALFORMED',
    ],
    [
      'has a member twice',
      async () => {
        await write('{"secret":"a secret","secret":"b"}');
      },
      'CREDENTIALS_MALFORMED',
    ],
    [
      'has another member',
      async () => {
        await write('{"secret":"a secret","more":"a secret"}');
      },
      'CREDENTIALS_MALFORMED',
    ],
    [
      'has no text where it has to',
      async () => {
        await write('{"secret":["a secret"]}');
      },
      'CREDENTIALS_MALFORMED',
    ],
    [
      'is too large',
      async () => {
        await write(`{"secret":"${'x'.repeat(65_536)}"}`);
      },
      'CREDENTIALS_MALFORMED',
    ],
  ])('that %s is refused with %#, and shown to nobody', async (_what, prepare, code) => {
    await prepare();
    const error = await read().catch((failure: unknown) => failure as Error);
    expect(error).toMatchObject({ name: 'KmsError', code });
    expect(`${String(error)} ${String((error as Error).cause)}`).not.toMatch(/a secret|xxx/);
  });
});

it.each(['', '.', '..', '../x', 'a/b', '/etc/passwd', 'a\\b', 'a\0', '.hidden', 'a b', 'ä', 'x'.repeat(129)])(
  'a part of a name is not %j',
  (text) => {
    expect(() => fileNamePart('id', text)).toThrow(
      expect.objectContaining({ code: 'KMS_NAME_REFUSED' }) as Error,
    );
  },
);

it.each(['KAAP.f4c8-1', '86f0e9fe-7f05', 'a'])('but may be %j', (text) => {
  expect(fileNamePart('id', text)).toBe(text);
});
