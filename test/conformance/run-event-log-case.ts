import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { toHex } from '../../server/bytes/encoding.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { eventLogClaims } from '../../server/event-log/event-claims.ts';
import { type EventLog, parseEventLog } from '../../server/event-log/event-log.ts';
import { type ReplayAlgorithm, replay } from '../../server/event-log/replay.ts';
import { type CaseResult, unexpected } from './case-result.ts';
import type { EventLogCase } from './cases.ts';

/** An event log, read as the verifiers read it. */
export function runEventLogCase(one: EventLogCase, folder: string): CaseResult {
  const bytes = readFileSync(join(folder, one.file));
  try {
    const log = parseEventLog(one.file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    const problems = [
      ...unexpected(one.verdict, 'genuine'),
      ...differingEvents(log, one, folder),
      ...differingRegisters(log, one),
    ];
    return { verdict: 'genuine', remark: `${log.records.length} events`, problems };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { verdict: 'refused', remark: String(error.code), problems: unexpected(one.verdict, 'refused') };
  }
}

function differingEvents(log: EventLog, one: EventLogCase, folder: string): readonly string[] {
  if (one.expected_events === undefined) return [];
  const expected: unknown = JSON.parse(readFileSync(join(folder, one.expected_events), 'utf8'));
  const actual: unknown = { uefi_event_logs: eventLogClaims(log) };
  return isDeepStrictEqual(actual, expected) ? [] : [`the events differ from ${one.expected_events}`];
}

function differingRegisters(log: EventLog, one: EventLogCase): readonly string[] {
  return Object.entries(one.replay).flatMap(([algorithm, expected]) => {
    const registers = replay(log, algorithm as ReplayAlgorithm);
    return Object.entries(expected).flatMap(([index, value]) => {
      const actual = toHex(registers.get(Number(index)) ?? new Uint8Array());
      return actual === value ? [] : [`register ${index}: expected ${value}, got ${actual}`];
    });
  });
}
