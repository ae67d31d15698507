import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { mayTraverse, type SystemUser } from './system-user.ts';

/** Where the files of one embedded Postgres are. Every path is absolute and free of links. */
export interface PostgresFolder {
  /** Ours: configuration that the server reads and must not write. */
  readonly home: string;
  /** The server's: PGDATA. Does not exist before initdb. */
  readonly data: string;
  /** The server's, mode 0700: holds the socket. */
  readonly socket: string;
  /** Who owns `data` and runs the server. */
  readonly user: SystemUser;
}

export const SOCKET_PORT = 5432;
/** The name by which Postgres knows us, whoever we are in the operating system. */
export const DATABASE_ROLE = 'verigo';
/** sun_path is 108 bytes on Linux and 104 on macOS, with the final NUL (unix(7)). */
const LONGEST_SOCKET_PATH = 100;

/**
 * Finds or makes `<dataDir>/postgres`. When Postgres runs as another user who cannot reach it, it is a link to a
 * folder of its own in `stateDir`. Throws EmbeddedPostgresError DATA_FOLDER_MISSING, DATA_FOLDER_FOREIGN.
 */
export async function preparePostgresFolder(
  dataDir: string,
  stateDir: string,
  user: SystemUser,
): Promise<PostgresFolder> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const home = await findOrMakeHome(await realpath(dataDir), stateDir, user);
  const data = join(home, 'data');
  const owner = await ownerOf(data, user);
  const socket = await makeSocketFolder(home, owner);
  await writeAccessRules(home);
  return { home, data, socket, user: owner };
}

/** The address of the server's database `name`. A socket in a folder of mode 0700, so there is no password to keep. */
export function databaseUrl(folder: PostgresFolder, name: string): string {
  const host = encodeURIComponent(folder.socket);
  return `postgresql://${DATABASE_ROLE}@localhost:${SOCKET_PORT}/${name}?host=${host}&sslmode=disable`;
}

async function findOrMakeHome(dataDir: string, stateDir: string, user: SystemUser): Promise<string> {
  const place = join(dataDir, 'postgres');
  if (!(await isThere(place))) await makeHome(place, dataDir, stateDir, user);
  try {
    return await realpath(place);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'DATA_FOLDER_MISSING',
      "the data folder's link 'postgres' leads nowhere: its database was removed. Bring it back, " +
        'or remove the data folder to begin anew',
      { cause },
    );
  }
}

async function makeHome(place: string, dataDir: string, stateDir: string, user: SystemUser): Promise<void> {
  if (!user.switched || (await mayTraverse(user, dataDir))) {
    await mkdir(place, { recursive: true });
    await chmod(place, user.switched ? 0o755 : 0o700);
    return;
  }
  await mkdir(stateDir, { recursive: true, mode: 0o755 });
  const home = await mkdtemp(join(stateDir, 'postgres-'));
  await chmod(home, 0o755);
  try {
    await symlink(home, place);
  } catch (error) {
    await rmdir(home);
    if (!(await isThere(place))) throw error; // else another process was faster
  }
}

/** The server runs as whoever owns its data: root may come after another user, another user not after root. */
async function ownerOf(data: string, user: SystemUser): Promise<SystemUser> {
  if (!(await isThere(data))) return user;
  const { uid, gid } = await stat(data);
  if (uid === user.uid) return user;
  if (user.switched && uid !== 0) return { uid, gid, switched: true };
  throw new EmbeddedPostgresError(
    'DATA_FOLDER_FOREIGN',
    `the database in the data folder belongs to user ${uid}, and this process runs Postgres as user ${user.uid}`,
  );
}

async function makeSocketFolder(home: string, user: SystemUser): Promise<string> {
  const beside = join(home, 'socket');
  const name = createHash('sha256').update(home).digest('hex').slice(0, 16);
  const folder =
    join(beside, `.s.PGSQL.${SOCKET_PORT}`).length <= LONGEST_SOCKET_PATH
      ? beside
      : join(tmpdir(), `verigo-${name}`);
  if (!(await isThere(folder))) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (user.switched) await chown(folder, user.uid, user.gid);
  }
  // The temporary folder is everybody's: somebody else may have made a folder of this name before us.
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== user.uid || (found.mode & 0o077) !== 0) {
    throw new EmbeddedPostgresError(
      'DATA_FOLDER_FOREIGN',
      `expected the socket's folder to be private to user ${user.uid}, got user ${found.uid}, ` +
        `mode ${(found.mode & 0o777).toString(8)}`,
    );
  }
  return folder;
}

/**
 * Only the operating system's user that runs this process gets in, as the kernel reports it (pg_hba.conf, `peer`).
 * Written at each start, by rename: the process may run as another user than last time.
 */
async function writeAccessRules(home: string): Promise<void> {
  const osUser = userInfo().username.replaceAll('"', '""');
  const rules = [
    ['hba.conf', `local all ${DATABASE_ROLE} peer map=owner\n`],
    ['ident.conf', `owner "${osUser}" ${DATABASE_ROLE}\n`],
  ] as const;
  for (const [name, text] of rules) {
    const fresh = join(home, `${name}.${process.pid}`);
    await rm(fresh, { force: true });
    await writeFile(fresh, text, { flag: 'wx' });
    await chmod(fresh, 0o644);
    await rename(fresh, join(home, name));
  }
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
