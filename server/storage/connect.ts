import {
  Kysely,
  type PostgresCursor,
  PostgresDialect,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely';
import pg from 'pg';
import { CodedError } from '../errors/coded-error.ts';
import type { Db, Tables } from './database.ts';
import { createStatementNames, type StatementNames } from './statement-names.ts';
import { classifyStorageFailure } from './storage-failure.ts';

class DatabaseUrlError extends CodedError<'DATABASE_URL_MALFORMED'> {}

export interface ConnectOptions {
  /** Most connections at once; more callers wait. */
  readonly poolSize?: number;
  /** How long a caller waits for a connection, in milliseconds. */
  readonly connectionTimeoutMs?: number;
  /** How long one statement may take, in milliseconds; the server ends it. */
  readonly statementTimeoutMs?: number;
  /** Off for a proxy that moves a session between connections and does not know prepared statements. */
  readonly prepareStatements?: boolean;
  /** Hears of an idle connection that broke. Nothing is lost by it, but an operator may want to know. */
  readonly onIdleError?: (error: Error) => void;
}

/** The server ends a slow statement itself; this is for one whose answer never comes, as when a network goes silent. */
const SILENCE_AFTER_STATEMENT_TIMEOUT_MS = 2_000;

/**
 * A pool of connections. Connects when first used, so a database that is down does not fail here; each statement that
 * the database could not do throws CouldNotCheckError STORAGE_UNAVAILABLE, until the database is back.
 * `db.destroy()` closes it. Throws DatabaseUrlError DATABASE_URL_MALFORMED, without the URL: it holds a password.
 */
export function connect(url: string, options: ConnectOptions = {}): Db {
  const {
    poolSize = 10,
    connectionTimeoutMs = 3_000,
    statementTimeoutMs = 10_000,
    prepareStatements = true,
    onIdleError = () => undefined,
  } = options;
  const pool = new pg.Pool({
    ...clientConfig(url),
    max: poolSize,
    connectionTimeoutMillis: connectionTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_AFTER_STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: statementTimeoutMs * 2,
  });
  // Without a listener a connection that breaks would end the process. An idle one concerns the pool; one in use, in a
  // transaction between two statements, is noticed by its next statement.
  pool.on('error', onIdleError);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const names = prepareStatements ? createStatementNames() : undefined;
  return new Kysely<Tables>({
    dialect: new PostgresDialect({
      pool: {
        connect: async () => adaptClient(await acquire(pool), names),
        end: async () => {
          await pool.end();
        },
        options: {}, // no second connection is opened to cancel statements: the server's timeout ends them
      },
    }),
  });
}

/** What every connection of ours shares, the pool's and the listener's. */
export function clientConfig(url: string): pg.ClientConfig {
  const config: pg.ClientConfig = {
    connectionString: url,
    application_name: 'verigo',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  try {
    new pg.Client(config); // parses the URL and connects to nothing
    return config;
  } catch {
    throw new DatabaseUrlError(
      'DATABASE_URL_MALFORMED',
      'expected a database URL like postgresql://user:password@host:5432/database, got one that cannot be read',
    );
  }
}

async function acquire(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw classifyStorageFailure(error).error;
  }
}

/**
 * What Kysely's driver sees of a connection: a wrapper for each checkout, which translates failures. A connection that
 * failed is closed instead of going back to the pool.
 */
function adaptClient(client: pg.PoolClient, names: StatementNames | undefined): PostgresPoolClient {
  let isLost = false;
  const run = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    const name = names?.nameOf(text);
    try {
      return await client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) });
    } catch (error) {
      const failure = classifyStorageFailure(error);
      isLost ||= failure.isConnectionLost;
      throw failure.error;
    }
  };
  function query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query(statement: string | PostgresCursor<unknown>, values: readonly unknown[] = []): unknown {
    if (typeof statement === 'string') return run(statement, values);
    throw new TypeError('expected a statement, got a cursor: rows are not streamed');
  }
  return {
    query,
    release: (isDiscarded = false) => {
      client.release(isLost || isDiscarded);
    },
  };
}
