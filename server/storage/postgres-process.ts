import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { type PostgresFolder, SOCKET_PORT } from './postgres-folder.ts';

type Keeper = ChildProcessByStdio<Writable, null, Readable>;

/** A server that accepts connections. */
export interface PostgresProcess {
  /** Resolves once the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** A fast shutdown: open transactions roll back, a checkpoint is written. */
  stop(): Promise<void>;
}

export type PostgresSettings = Readonly<Record<string, string>>;

const STOP_TIMEOUT_MS = 20_000;

/**
 * Runs the server given as arguments until it ends or our process does. However that happens, kill -9 included, the
 * kernel closes our end of the pipe, and the server gets SIGINT, its fast shutdown. TERM is the hard way.
 */
const KEEPER = `
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
trap 'kill -QUIT "$server" 2>/dev/null' TERM
{ read -r _ <&3; kill -INT "$server" 2>/dev/null; } &
watcher=$!
exec 3<&-
wait "$server"; status=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
kill "$watcher" 2>/dev/null
exit "$status"`;

/** Modest, for a server beside its one client. Durability is left as Postgres has it: an answer is on disk. */
const SETTINGS: PostgresSettings = {
  listen_addresses: '', // only the socket
  unix_socket_permissions: '0700',
  max_connections: '100',
  shared_buffers: '64MB',
  max_wal_size: '512MB',
  io_method: 'sync', // no worker processes for I/O
  wal_level: 'minimal', // nobody replicates from it
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  log_min_error_statement: 'panic', // statements never reach a log
};

/**
 * Starts the server and waits until it accepts connections. `log` gets its log, a line a call.
 * Throws EmbeddedPostgresError START_FAILED with the server's last FATAL line.
 */
export async function startPostgresProcess(
  binaries: PostgresBinaries,
  folder: PostgresFolder,
  settings: PostgresSettings,
  log: (line: string) => void,
): Promise<PostgresProcess> {
  const child = spawnServer(binaries, folder, settings);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
    child.once('error', () => {
      resolve();
    });
  });
  await waitUntilReady(child, ended, log);
  return {
    ended,
    async stop() {
      child.stdin.end();
      const patience = new AbortController();
      const late = delay(STOP_TIMEOUT_MS, undefined, { signal: patience.signal }).then(
        () => child.kill('SIGTERM'),
        () => undefined,
      );
      await ended;
      patience.abort();
      await late;
    },
  };
}

function spawnServer(binaries: PostgresBinaries, folder: PostgresFolder, settings: PostgresSettings): Keeper {
  const all = {
    ...SETTINGS,
    unix_socket_directories: `"${folder.socket}"`,
    hba_file: `${folder.home}/hba.conf`,
    ident_file: `${folder.home}/ident.conf`,
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = [binaries.postgres, '-D', folder.data, '-p', String(SOCKET_PORT), ...options];
  const { uid, gid, switched } = folder.user;
  const child = spawn('/bin/sh', ['-c', KEEPER, 'sh', ...server], {
    // PG_GRANDPARENT_PID: a lock file left by a former life of ours under the same number is stale (`miscinit.c`).
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin', PG_GRANDPARENT_PID: String(process.pid) },
    cwd: '/',
    // A session of its own: Control-C in our terminal is for us, and we still need the database to close in order.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(switched ? { uid, gid } : {}),
  });
  child.stdin.on('error', () => undefined); // the pipe breaks when the server has ended first; `ended` tells
  return child;
}

async function waitUntilReady(
  child: Keeper,
  ended: Promise<void>,
  log: (line: string) => void,
): Promise<void> {
  let fatal = 'it ended without a word';
  const ready = new Promise<'ready'>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log(line);
      if (line.includes('FATAL:')) fatal = line.slice(line.indexOf('FATAL:') + 'FATAL:'.length).trim();
      if (line.includes('database system is ready to accept connections')) resolve('ready');
    });
  });
  const outcome = await Promise.race([ready, ended]);
  if (outcome === 'ready') return;
  throw new EmbeddedPostgresError('START_FAILED', `the embedded Postgres did not start: ${fatal}`);
}
