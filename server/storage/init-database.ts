import { execFile } from 'node:child_process';
import { chown, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { DATABASE_ROLE, type PostgresFolder } from './postgres-folder.ts';

const run = promisify(execFile);

/**
 * Makes the database's files when there are none, with UTF-8 text that sorts by its bytes. They appear whole or not
 * at all, whatever interrupts us. Throws EmbeddedPostgresError INITDB_FAILED.
 */
export async function initDatabase(binaries: PostgresBinaries, folder: PostgresFolder): Promise<void> {
  if (await exists(join(folder.data, 'PG_VERSION'))) return;
  const fresh = await mkdtemp(join(folder.home, 'making-'));
  const { uid, gid, switched } = folder.user;
  if (switched) await chown(fresh, uid, gid);
  try {
    await run(
      binaries.initdb,
      [
        `--pgdata=${fresh}`,
        `--username=${DATABASE_ROLE}`,
        '--encoding=UTF8',
        '--locale=C',
        '--auth=reject', // hba.conf beside the data says who gets in
      ],
      { env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' }, cwd: '/', ...(switched ? { uid, gid } : {}) },
    );
    await rename(fresh, folder.data);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    if (await exists(folder.data)) return; // another process was faster
    throw new EmbeddedPostgresError('INITDB_FAILED', `could not make a database: ${lastLine(cause)}`, {
      cause,
    });
  }
}

function lastLine(cause: unknown): string {
  const text = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : String(cause);
  return text.trim().split('\n').at(-1) ?? '';
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
