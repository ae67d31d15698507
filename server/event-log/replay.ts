import { hash } from 'node:crypto';
import { bytesEqual, concatBytes } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import type { EventLog, EventRecord } from './event-log.ts';
import { EventLogError } from './event-log-error.ts';
import { EV_NO_ACTION } from './event-types.ts';

/** SHA-1 digests can be read, but prove nothing. */
export type ReplayAlgorithm = keyof typeof REGISTER_BYTES;
const REGISTER_BYTES = { sha256: 32, sha384: 48, sha512: 64, sm3: 32 } as const;
export const REPLAY_ALGORITHMS: readonly ReplayAlgorithm[] = ['sha256', 'sha384', 'sha512', 'sm3'];

/** By the index that the records carry. */
export type RegisterValues = ReadonlyMap<number, Uint8Array>;

export interface ReplayOptions {
  /** What registers hold before their first record, where that is not zeros. */
  readonly initialValues?: RegisterValues;
  /**
   * Indexes whose records are accepted although no register proves them. Whoever wrote the log chose what they say: a
   * policy that looks at an event has to look at its index too. None unless said otherwise.
   */
  readonly unprovenIndexes?: ReadonlySet<number>;
}

/**
 * The registers as the records leave them: new = H(old ‖ digest), in the order of the log. Only registers that have records
 * are in the answer. EV_NO_ACTION is not measured (TCG PC Client Platform Firmware Profile). Throws EventLogError
 * EVENT_LOG_DIGEST_MISSING where a measured record has no digest of the algorithm.
 */
export function replay(
  log: EventLog,
  algorithm: ReplayAlgorithm,
  initialValues: RegisterValues = new Map(),
): RegisterValues {
  const registers = new Map<number, Uint8Array>();
  for (const record of log.records) {
    if (record.type === EV_NO_ACTION) continue;
    const old = registers.get(record.index) ?? initialValue(record.index, algorithm, initialValues);
    registers.set(record.index, hash(algorithm, concatBytes(old, digestOf(record, algorithm)), 'buffer'));
  }
  return registers;
}

/**
 * Proves that the digests of the log are, in their order, what was measured into the `expected` registers; one that has no
 * records has to hold its initial value. What it leaves unproven: EV_NO_ACTION records, the types of all records, and the
 * bytes of events that are not what was hashed (`digest_matches_event` in the claims says which).
 * Throws EventLogError EVENT_LOG_DIGEST_MISSING, EVENT_LOG_REGISTER_UNKNOWN for records of registers that nobody expects,
 * EVENT_LOG_REPLAY_MISMATCH naming every register that differs.
 */
export function verifyReplay(
  log: EventLog,
  algorithm: ReplayAlgorithm,
  expected: RegisterValues,
  { initialValues = new Map(), unprovenIndexes = new Set() }: ReplayOptions = {},
): void {
  const calculated = replay(log, algorithm, initialValues);
  const unknown = [...calculated.keys()].filter(
    (index) => !expected.has(index) && !unprovenIndexes.has(index),
  );
  if (unknown.length > 0) throw registerUnknown(unknown, [...expected.keys()]);
  const mismatches = [...expected].flatMap(([index, given]) => {
    const value = calculated.get(index) ?? initialValue(index, algorithm, initialValues);
    return bytesEqual(value, given)
      ? []
      : [`register ${index}: calculated ${toHex(value)}, given ${toHex(given)}`];
  });
  if (mismatches.length > 0) {
    throw new EventLogError(
      'EVENT_LOG_REPLAY_MISMATCH',
      `expected the event log to replay to what was measured, got ${mismatches.join('; ')}`,
    );
  }
}

function digestOf(record: EventRecord, algorithm: ReplayAlgorithm): Uint8Array {
  const found = record.digests.find((digest) => digest.algorithm.hash === algorithm);
  if (found !== undefined) return found.digest;
  throw new EventLogError(
    'EVENT_LOG_DIGEST_MISSING',
    `expected a digest of ${algorithm} in each record, got ${record.digests.map(({ algorithm: { name } }) => name).join(', ')}`,
  );
}

function initialValue(index: number, algorithm: ReplayAlgorithm, initialValues: RegisterValues): Uint8Array {
  return initialValues.get(index) ?? new Uint8Array(REGISTER_BYTES[algorithm]);
}

function registerUnknown(unknown: readonly number[], known: readonly number[]): EventLogError {
  return new EventLogError(
    'EVENT_LOG_REGISTER_UNKNOWN',
    `expected records of registers ${known.join(', ')}, got some of ${unknown.slice(0, 16).join(', ')}`,
  );
}
