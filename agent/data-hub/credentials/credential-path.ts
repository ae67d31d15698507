import { randomUUID } from 'node:crypto';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError } from '../../../server/errors/coded-error.ts';

export type CredentialPathErrorCode = 'CREDENTIAL_PATH_REFUSED';

/** A place that credentials are not written to. */
export class CredentialPathError extends CodedError<CredentialPathErrorCode> {}

/** Where upstream's drivers look for them. */
export const CREDENTIAL_FOLDER = '/run/confidential-containers/cdh/kbs';

const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY = 0o600;
const MAX_LENGTH = 1024;

/**
 * The components of a path below the folder. By components, and as it is written: `…/kbsX` is not below `…/kbs`.
 * Throws CredentialPathError for what is not below, or has empty components, `.` or `..`.
 */
export function credentialComponents(path: string, folder: string = CREDENTIAL_FOLDER): readonly string[] {
  const prefix = `${folder}/`;
  const components = path.startsWith(prefix) ? path.slice(prefix.length).split('/') : [];
  const isRefused =
    path.length > MAX_LENGTH ||
    components.length === 0 ||
    components.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (isRefused) throw refused("a path of names below the hub's folder of credentials");
  return components;
}

/**
 * Writes a credential so that only its owner reads it, all of it or nothing; in directories that are made as needed, and
 * through no link. Throws CredentialPathError, and what the file system answers.
 */
export async function writeCredential(
  path: string,
  content: Uint8Array,
  folder: string = CREDENTIAL_FOLDER,
): Promise<void> {
  const components = credentialComponents(path, folder);
  await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  let place = folder;
  for (const name of components.slice(0, -1)) {
    place = join(place, name);
    await makeFolder(place);
  }
  await replaceFile(join(place, components.at(-1) ?? ''), content);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: OWNER_ONLY_FOLDER }).catch((error: unknown) => {
    if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  if (!(await lstat(path)).isDirectory()) {
    throw refused('directories on the way to a credential, and no links');
  }
}

/** A rename replaces a link, and does not follow it. */
async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}`);
  const file = await open(temporary, 'wx', OWNER_ONLY);
  try {
    await file.writeFile(content);
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

function refused(expected: string): CredentialPathError {
  return new CredentialPathError('CREDENTIAL_PATH_REFUSED', `expected ${expected}, got something else`);
}
