import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

/**
 * Reads a file by its name below a folder. Links are followed, but not out of the folder: it may be one of Kubernetes'
 * volumes, which are made of links. At most `maximum` bytes and one more, by which a longer file is known. undefined: a link
 * leads out of the folder. The caller has checked that the name is one. Throws what the file system answers.
 */
export async function readFileInside(
  folder: string,
  name: string,
  maximum: number,
): Promise<Uint8Array | undefined> {
  const root = await realpath(folder);
  const path = await realpath(join(root, name));
  if (!path.startsWith(root + sep)) return undefined;
  const file = await open(path, 'r');
  try {
    const buffer = new Uint8Array(maximum + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
