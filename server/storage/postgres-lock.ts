import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { type PostgresFolder, SOCKET_PORT } from './postgres-folder.ts';

const run = promisify(execFile);
const POLL_MS = 100;
/** How long a server that nobody owns any more may take to notice that and to write its last checkpoint. */
const GRACE_POLLS = 100;
/** A server that is still open for connections after this belongs to somebody who lives. */
const OPEN_POLLS = 20;

/** The lines of postmaster.pid that matter (Postgres, `miscadmin.h`, LOCK_FILE_LINE_*). */
interface LockFile {
  readonly pid: number;
  /** `starting`, `stopping`, `ready` or `standby`; empty while it is being written. */
  readonly status: string;
}

/**
 * Waits until no server works on the folder: one whose owner was killed is just closing. Removes a lock file whose
 * process number now belongs to somebody else, which Postgres itself would take for a server.
 * Throws EmbeddedPostgresError DATA_FOLDER_IN_USE.
 */
export async function waitForUnlocked(folder: PostgresFolder): Promise<void> {
  let openPolls = 0;
  for (let poll = 0; poll < GRACE_POLLS && openPolls < OPEN_POLLS; poll++) {
    const lock = await readLockFile(folder.data);
    if (lock === undefined) return;
    if (!(await isServing(folder, lock.pid))) {
      await rm(join(folder.data, 'postmaster.pid'), { force: true });
      return;
    }
    if (lock.status !== 'stopping') openPolls++;
    await delay(POLL_MS);
  }
  throw await inUse(folder);
}

export async function inUse(folder: PostgresFolder): Promise<EmbeddedPostgresError> {
  const owner = await readFile(ownerFile(folder), 'utf8').catch(() => '');
  return new EmbeddedPostgresError(
    'DATA_FOLDER_IN_USE',
    `another verigo (process ${owner.trim() || 'unknown'}) uses this data folder; ` +
      'stop it, or give both a DATABASE_URL to share a database',
  );
}

/** Where the process that started the server leaves its number, for the message above. */
export function ownerFile(folder: PostgresFolder): string {
  return join(folder.home, 'verigo.pid');
}

async function readLockFile(data: string): Promise<LockFile | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' };
}

/** The socket also answers where the process is out of sight, in another container on the same volume. */
async function isServing(folder: PostgresFolder, pid: number): Promise<boolean> {
  if (await answers(join(folder.socket, `.s.PGSQL.${SOCKET_PORT}`))) return true;
  return Number.isSafeInteger(pid) && pid > 1 && (await commandLine(pid)).includes(folder.data);
}

async function answers(socketPath: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** Empty when there is no such process. Linux without procps has /proc, macOS has `ps`. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const listed = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => undefined);
  return listed?.stdout ?? '';
}
