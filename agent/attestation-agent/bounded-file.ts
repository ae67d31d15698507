import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { concatBytes } from '../../server/bytes/byte-strings.ts';
import { systemErrorCode } from './system-error.ts';

const CHUNK_BYTES = 16 * 1024;

/**
 * Reads a file of the kernel, whose size is not known before its end: files of procfs, sysfs and configfs state none or
 * another. Gives up behind `maximum` bytes, with one byte more than that. Errors are those of the operating system.
 */
export async function readBounded(path: string, maximum: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const parts: Uint8Array[] = [];
    for (let left = maximum + 1; left > 0; ) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, left));
      const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, null);
      if (bytesRead === 0) break;
      parts.push(chunk.subarray(0, bytesRead));
      left -= bytesRead;
    }
    return concatBytes(...parts);
  } finally {
    await file.close();
  }
}

/** The same; `undefined` where there is no such file. */
export async function readBoundedIfThere(path: string, maximum: number): Promise<Uint8Array | undefined> {
  try {
    return await readBounded(path, maximum);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
