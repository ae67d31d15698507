import { DatabaseError } from 'pg';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';

/**
 * SQLSTATE codes and classes (Postgres documentation, appendix A) that speak about the server or the connection and
 * not about the statement: after them the connection is given up, because the next one may reach a better server.
 */
const SERVER_FAILED: ReadonlySet<string> = new Set([
  '08', // connection exception
  '28', // authentication: the role or its password changed while we ran
  '3D', // the database is gone
  '53', // insufficient resources: connections, memory, disk
  '58', // system error: I/O
  'XX', // internal error: corruption
  '25006', // read-only: a primary that became a standby
  '57P01', // shut down by the administrator
  '57P02', // crash of another process
  '57P03', // starting up or shutting down
  '57P04', // the database was dropped
  '57P05', // idle session timeout
  '0A000', // "cached plan must not change result type": a migration ran below a prepared statement
]);

/** The statement lost a race or ran out of time. Trying again is right, on the same connection. */
const STATEMENT_FAILED_FOR_NOW: ReadonlySet<string> = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock not available
  '57014', // statement timeout
]);

export interface StorageFailure {
  /** What the caller gets: CouldNotCheckError STORAGE_UNAVAILABLE when the database could not do its work. */
  readonly error: unknown;
  /** Whether the connection must not be used again. */
  readonly isConnectionLost: boolean;
}

/**
 * Tells "the database could not be asked" from "the database says no". The first becomes a CouldNotCheckError, so
 * that the request ends with 503 and may be repeated; the second, e.g. a unique violation, stays what it is.
 */
export function classifyStorageFailure(error: unknown): StorageFailure {
  if (error instanceof CouldNotCheckError) return { error, isConnectionLost: false };
  if (!(error instanceof DatabaseError)) return classifyLocalFailure(error);
  const code = error.code ?? '';
  const isConnectionLost = SERVER_FAILED.has(code) || SERVER_FAILED.has(code.slice(0, 2));
  const isForNow = isConnectionLost || STATEMENT_FAILED_FOR_NOW.has(code);
  return { error: isForNow ? storageUnavailable(error, code) : error, isConnectionLost };
}

/** The message carries a code only: addresses, role names and statements stay in the cause. */
export function storageUnavailable(cause: unknown, reason: string): CouldNotCheckError {
  return new CouldNotCheckError('STORAGE_UNAVAILABLE', `could not use the database (${reason})`, { cause });
}

/** Not the server's word: the socket's, the pool's or the driver's, or a mistake of ours in the parameters. */
function classifyLocalFailure(error: unknown): StorageFailure {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
    return { error, isConnectionLost: false };
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'connection failed';
  return { error: storageUnavailable(error, code), isConnectionLost: true };
}
