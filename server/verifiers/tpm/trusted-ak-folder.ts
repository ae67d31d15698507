import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TrustedAkError, trustedAkOf } from './trusted-aks.ts';

const MAX_FILE_BYTES = 16_384;

/**
 * The entries for the public keys in a folder, a file each, for `readTrustedAks`. Files whose names begin with a dot are
 * passed over, as mounted volumes have them. A folder with more than `maximum` keys is refused, not cut.
 * Throws TrustedAkError.
 */
export async function readTrustedAkFolder(folder: string, maximum: number): Promise<readonly string[]> {
  const names = (await readable(readdir(folder))).filter((name) => !name.startsWith('.')).sort();
  if (names.length > maximum) {
    throw new TrustedAkError(
      'TRUSTED_AKS_TOO_MANY',
      `expected at most ${maximum} files of attestation keys, got ${names.length}`,
    );
  }
  return await Promise.all(names.map(async (name) => await readKey(folder, name)));
}

async function readKey(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const { size } = await readable(stat(path));
  if (size > MAX_FILE_BYTES) throw malformed(name);
  const bytes = await readable(readFile(path));
  try {
    return trustedAkOf(bytes);
  } catch (cause) {
    throw malformed(name, cause);
  }
}

async function readable<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    throw new TrustedAkError(
      'TRUSTED_AKS_UNREADABLE',
      'expected a folder of attestation keys that can be read, got one that cannot',
      { cause },
    );
  }
}

function malformed(name: string, cause?: unknown): TrustedAkError {
  return new TrustedAkError(
    'TRUSTED_AK_MALFORMED',
    `expected '${name}' to be a public key in PEM or DER, got something else`,
    { cause },
  );
}
