import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fromUtf8 } from '../bytes/encoding.ts';
import { parseJson } from '../json/strict-json.ts';
import { CommandError } from './command-error.ts';
import type { CommandIo } from './command-io.ts';

/** The bytes of a file that the user named; `-` is standard input. Throws CommandError INPUT_UNREADABLE. */
export async function readInput(io: CommandIo, file: string): Promise<Uint8Array> {
  if (file === '-') return await io.readStdin();
  try {
    return readFileSync(resolve(io.cwd, file));
  } catch (cause) {
    throw new CommandError('INPUT_UNREADABLE', `expected a file that can be read, got '${file}'`, { cause });
  }
}

/** As readInput, as UTF-8 text. Throws CommandError INPUT_UNREADABLE, INPUT_INVALID. */
export async function readTextInput(io: CommandIo, file: string): Promise<string> {
  const bytes = await readInput(io, file);
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new CommandError('INPUT_INVALID', `expected UTF-8 text in '${file}', got other bytes`, { cause });
  }
}

/** JSON that the user wrote; `what` names it in the message. Throws CommandError INPUT_INVALID. */
export function parseInput(
  text: string,
  what: string,
  parse: (text: string) => unknown = parseJson,
): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new CommandError('INPUT_INVALID', `expected JSON ${what}, got something else`, { cause });
  }
}

/**
 * Writes a file that only its owner may read: tokens open secrets and keys open tokens. It appears complete or not
 * at all, and a wider mode of an older file of that name does not survive. Throws CommandError OUTPUT_UNWRITABLE.
 */
export function writePrivateFile(io: CommandIo, file: string, content: string | Uint8Array): void {
  const target = resolve(io.cwd, file);
  const draft = `${target}.${randomUUID()}`;
  try {
    writeFileSync(draft, content, { mode: 0o600, flag: 'wx' });
    renameSync(draft, target);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new CommandError('OUTPUT_UNWRITABLE', `expected to write '${file}', could not`, { cause });
  }
}
