import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SealedSecretError } from './sealed-secret-error.ts';
import { createSigningKey } from './signing-key.ts';

const OWNER_ONLY = 0o600;
const READABLE = 0o644;
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/;

/**
 * Makes a key that signs sealed secrets: `<kid>-private.json`, which only its owner reads, and `<kid>-public.json`, for
 * the guest. Overwrites nothing. Throws SealedSecretError SIGNING_KEY_NOT_ALLOWED for a kid that is no file name, and what
 * the file system answers.
 */
export async function writeSigningKey(
  kid: string,
  folder: string,
): Promise<{ readonly privateFile: string; readonly publicFile: string }> {
  if (!FILE_NAME.test(kid)) {
    throw new SealedSecretError('SIGNING_KEY_NOT_ALLOWED', 'expected a kid that is a file name, got another');
  }
  const { privateText, publicText } = createSigningKey(kid);
  const privateFile = join(folder, `${kid}-private.json`);
  const publicFile = join(folder, `${kid}-public.json`);
  await writeFile(privateFile, privateText, { mode: OWNER_ONLY, flag: 'wx' });
  await writeFile(publicFile, publicText, { mode: READABLE, flag: 'wx' });
  return { privateFile, publicFile };
}
