import { constants } from 'node:fs';
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readBoundedIfThere } from '../bounded-file.ts';
import { systemErrorCode } from '../system-error.ts';

/** The few steps from which the event log is made. Each is durable when it returns; none is atomic but `rename`. */
export interface DurableFiles {
  /** `undefined` where there is no such file; one byte more than `maximum` where it is longer. */
  read(path: string, maximum: number): Promise<Uint8Array | undefined>;
  /** Writes at the offset and cuts what would follow. Makes the file and its folder, readable by this user only. */
  write(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is removed already. */
  remove(path: string): Promise<void>;
}

export const durableFiles: DurableFiles = {
  read: readBoundedIfThere,
  async write(path, offset, bytes) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      for (let written = 0; written < bytes.byteLength; ) {
        const { bytesWritten } = await file.write(bytes, written, undefined, offset + written);
        written += bytesWritten;
      }
      await file.truncate(offset + bytes.byteLength);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async rename(from, to) {
    await rename(from, to);
    await syncFolder(to);
  },
  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    await syncFolder(path);
  },
};

/** A name is durable when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
