import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

const run = promisify(execFile);

/** Which operating system user runs Postgres. `switched` says that it is another one than ours. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
  readonly switched: boolean;
}

/** Postgres refuses to run as root, so root lends it one of these, in this order. They exist; none is created. */
const USERS_FOR_ROOT = ['postgres', '_postgres', 'nobody'] as const;

/**
 * The user that runs the embedded Postgres: ourselves, or, when we are root, a user without privileges.
 * Throws EmbeddedPostgresError PLATFORM_UNSUPPORTED, SYSTEM_USER_MISSING.
 */
export async function findSystemUser(): Promise<SystemUser> {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  if (uid === undefined || gid === undefined) {
    throw new EmbeddedPostgresError(
      'PLATFORM_UNSUPPORTED',
      `the embedded Postgres runs on Linux and macOS, not on ${process.platform}; give a DATABASE_URL`,
    );
  }
  if (uid !== 0) return { uid, gid, switched: false };
  for (const name of USERS_FOR_ROOT) {
    const user = await lookUp(name);
    if (user !== undefined) return user;
  }
  throw new EmbeddedPostgresError(
    'SYSTEM_USER_MISSING',
    `Postgres does not run as root, and none of the users ${USERS_FOR_ROOT.join(', ')} exists; ` +
      'run as another user, or give a DATABASE_URL',
  );
}

/** Whether the user may reach what lies in the folder: execute permission on it and on every folder above it. */
export async function mayTraverse(user: SystemUser, folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path);
    if ((mode & executeBit(user, uid, gid)) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** The class of permissions that applies is the first that matches: owner, group, others (POSIX.1-2024, 4.7). */
function executeBit(user: SystemUser, owner: number, group: number): number {
  if (user.uid === owner) return 0o100;
  return user.gid === group ? 0o010 : 0o001;
}

async function lookUp(name: string): Promise<SystemUser | undefined> {
  try {
    const uid = await run('id', ['-u', name]);
    const gid = await run('id', ['-g', name]);
    return { uid: Number(uid.stdout.trim()), gid: Number(gid.stdout.trim()), switched: true };
  } catch {
    return undefined; // `id` fails for a user that does not exist; the next name is tried
  }
}
