import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { loadAdminKey, mintAdminToken } from '../../server/admin/admin-key.ts';
import { type Clock, systemClock } from '../../server/clock.ts';
import { compose } from '../../server/compose.ts';
import { adminKeyFile } from '../../server/composition/administrators.ts';
import { type Config, loadConfig } from '../../server/config/load-config.ts';
import { createTestDatabase } from '../fakes/test-database.ts';
import { type TestConfigOptions, writeTestConfig } from './test-config.ts';

export interface StartVerigoOptions extends TestConfigOptions {
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
  /** For servers that share a database; without it, each makes one of its own. */
  readonly masterKey?: string;
  /** Gathers the lines of the log; without it, nothing is logged. */
  readonly logTo?: string[];
}

/** A server that listens on loopback, in this process. */
export interface RunningVerigo {
  readonly url: string;
  readonly app: FastifyInstance;
  readonly config: Config;
  /** A token of an administrator, valid for ten minutes by the server's clock; of role `admin` unless said. */
  adminToken(role?: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * Composes the whole server on a free port, with a database of its own unless `databaseUrl` names one, and a data
 * folder that is gone after `close`.
 */
export async function startVerigo(options: StartVerigoOptions = {}): Promise<RunningVerigo> {
  const opened = new AsyncDisposableStack();
  try {
    return await start(options, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function start(options: StartVerigoOptions, opened: AsyncDisposableStack): Promise<RunningVerigo> {
  const { clock = systemClock, logTo } = options;
  const folder = mkdtempSync(join(tmpdir(), 'verigo-'));
  opened.defer(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const config = await writeAndLoad(folder, options, opened);
  const verigo = await compose(config, {
    clock,
    fetch: options.fetch ?? globalThis.fetch,
    log:
      logTo === undefined
        ? pino({ level: 'silent' })
        : pino({ level: config.log.level, base: null }, { write: (line: string) => logTo.push(line) }),
    environment: process.env,
    onProgress: (line) => logTo?.push(line),
    policyFolder: join(import.meta.dirname, '../../policies'),
  });
  opened.defer(async () => {
    await verigo.close();
  });
  return {
    url: await verigo.app.listen({ host: '127.0.0.1', port: 0 }),
    app: verigo.app,
    config,
    adminToken: async (role = 'admin') =>
      mintAdminToken(await loadAdminKey(adminKeyFile(config)), {
        role,
        subject: 'test',
        lifetimeSeconds: 600,
        at: clock(),
      }),
    close: async () => {
      await opened.disposeAsync();
    },
  };
}

async function writeAndLoad(
  folder: string,
  options: StartVerigoOptions,
  opened: AsyncDisposableStack,
): Promise<Config> {
  const { masterKey } = options;
  let { databaseUrl } = options;
  if (databaseUrl === undefined) {
    const database = await createTestDatabase();
    opened.defer(async () => {
      await database.drop();
    });
    databaseUrl = database.url;
  }
  const file = writeTestConfig(folder, { ...options, databaseUrl });
  return loadConfig({
    file,
    env: masterKey === undefined ? {} : { VERIGO_MASTER_KEY: masterKey },
    cwd: folder,
  });
}
