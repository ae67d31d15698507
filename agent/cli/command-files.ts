import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fromUtf8 } from '../../server/bytes/encoding.ts';
import { CommandError } from './command-error.ts';
import type { Surroundings } from './command-io.ts';

/** A file that the user named. Throws CommandError INPUT_UNREADABLE. */
export async function readInput({ cwd }: Pick<Surroundings, 'cwd'>, file: string): Promise<Uint8Array> {
  try {
    return await readFile(resolve(cwd, file));
  } catch (cause) {
    throw new CommandError('INPUT_UNREADABLE', `expected a file that can be read, got '${file}'`, { cause });
  }
}

/** As readInput, as UTF-8 text. Throws CommandError INPUT_UNREADABLE, INPUT_INVALID. */
export async function readTextInput(around: Pick<Surroundings, 'cwd'>, file: string): Promise<string> {
  const bytes = await readInput(around, file);
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new CommandError('INPUT_INVALID', `expected UTF-8 text in '${file}', got other bytes`, { cause });
  }
}

/**
 * Writes a file that only its owner may read: tokens open secrets, and resources are secrets. It appears complete or not
 * at all, and a wider mode of an older file of that name does not survive. Throws CommandError OUTPUT_UNWRITABLE.
 */
export async function writePrivateFile(
  { cwd }: Pick<Surroundings, 'cwd'>,
  file: string,
  content: string | Uint8Array,
): Promise<void> {
  const target = resolve(cwd, file);
  const draft = `${target}.${randomUUID()}`;
  try {
    await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
    await rename(draft, target);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new CommandError('OUTPUT_UNWRITABLE', `expected to write '${file}', could not`, { cause });
  }
}
