import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sha256 } from '../bytes/byte-strings.ts';
import { fromBase64, fromHex, toBase64, toHex } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';

export type MasterKeyErrorCode =
  | 'MASTER_KEY_MISSING'
  | 'MASTER_KEY_MALFORMED'
  | 'MASTER_KEY_EXPOSED'
  | 'MASTER_KEY_WRONG';

/** The program does not start: without its master key it could neither read nor write a secret. */
export class MasterKeyError extends CodedError<MasterKeyErrorCode> {}

/** Wraps the data keys. `id` names it in the database and in messages, and tells nothing about it. */
export interface MasterKey {
  /** The first 8 bytes of SHA-256 of the key, in hex. */
  readonly id: string;
  readonly key: KeyObject;
}

export interface MasterKeySource {
  /** From the environment: 32 bytes in hex or base64. */
  readonly configured: string | undefined;
  /** A file with the same text. */
  readonly file: string;
  /** Whether a missing file is made: true only where nothing has been sealed yet. */
  readonly mayCreate: boolean;
}

const KEY_BYTES = 32;
const LONGEST_TEXT = 200;

/**
 * The configured key, else the file's, else a new one that is written to the file (mode 0600).
 * Throws MasterKeyError MASTER_KEY_MISSING, MASTER_KEY_MALFORMED, MASTER_KEY_EXPOSED.
 */
export async function loadMasterKey(source: MasterKeySource): Promise<MasterKey> {
  if (source.configured !== undefined) return parseMasterKey(source.configured);
  const text = await readKeyFile(source.file);
  if (text !== undefined) return parseMasterKey(text);
  if (!source.mayCreate) {
    throw new MasterKeyError(
      'MASTER_KEY_MISSING',
      'this database holds sealed data, and no master key is configured; give the key that it was sealed with',
    );
  }
  await createKeyFile(source.file);
  const created = await readKeyFile(source.file);
  return parseMasterKey(created ?? '');
}

/** 32 bytes as 64 hex digits or padded base64. Throws MasterKeyError MASTER_KEY_MALFORMED; the text is not repeated. */
export function parseMasterKey(text: string): MasterKey {
  const trimmed = text.trim();
  const bytes = decode(trimmed);
  if (bytes?.byteLength !== KEY_BYTES) {
    throw new MasterKeyError(
      'MASTER_KEY_MALFORMED',
      `expected a master key of ${KEY_BYTES} bytes in hex or base64, got ${trimmed.length} characters that are not`,
    );
  }
  return { id: toHex(sha256(bytes).subarray(0, 8)), key: createSecretKey(bytes) };
}

function decode(text: string): Uint8Array | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  try {
    return text.length === 2 * KEY_BYTES ? fromHex(text) : fromBase64(text);
  } catch {
    return undefined; // the caller says what was expected, without the text
  }
}

async function readKeyFile(file: string): Promise<string | undefined> {
  let mode: number;
  try {
    mode = (await stat(file)).mode;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  // A group may read: that is how Kubernetes hands a mounted secret to a process. Nobody else, and nobody may write.
  if ((mode & 0o027) !== 0) {
    throw new MasterKeyError(
      'MASTER_KEY_EXPOSED',
      `expected a master key file that others cannot read (mode 0600), got mode ${(mode & 0o777).toString(8)}`,
    );
  }
  return await readFile(file, 'utf8');
}

/** Durable before it is used: what it seals must never outlive it. Another process that was faster wins. */
async function createKeyFile(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(`${toBase64(randomBytes(KEY_BYTES))}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(file, 0o600);
    await syncFolder(dirname(file));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
