import { constants } from 'node:fs';
import { mkdir, open, rmdir } from 'node:fs/promises';
import { readBounded } from '../../bounded-file.ts';

/** What configfs-tsm takes of a file system. Errors are those of the operating system, with their codes. */
export interface ConfigFileSystem {
  /** Makes an entry; its attributes appear with it. */
  mkdir(path: string): Promise<void>;
  /** All of an attribute, from one opening of it. Longer than `maximum`: one byte more than that. */
  read(path: string, maximum: number): Promise<Uint8Array>;
  /** All of an attribute in one write: the kernel takes it when the file is closed. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes an entry. Its attributes cannot be removed and go with it. */
  rmdir(path: string): Promise<void>;
}

export const configFileSystem: ConfigFileSystem = {
  async mkdir(path) {
    await mkdir(path);
  },
  read: readBounded,
  async write(path, bytes) {
    // Never O_CREAT: an attribute that is not there is one that this kernel does not have.
    const file = await open(path, constants.O_WRONLY);
    try {
      await file.write(bytes);
    } finally {
      await file.close();
    }
  },
  async rmdir(path) {
    await rmdir(path);
  },
};
