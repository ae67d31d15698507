import { toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { isCodedError } from '../errors/coded-error.ts';
import { eventLogClaims } from '../event-log/event-claims.ts';
import { type EventLog, parseEventLog } from '../event-log/event-log.ts';
import { EV_NO_ACTION } from '../event-log/event-types.ts';
import { REPLAY_ALGORITHMS, type ReplayAlgorithm, replay } from '../event-log/replay.ts';
import { initialPcrValues } from '../verifiers/tpm/pcr-event-log.ts';
import { CommandError } from './command-error.ts';
import type { EvidenceFile } from './command-io.ts';

/**
 * Reads an event log without judging it: the bytes of a CCEL table, or of a TPM's `binary_bios_measurements`. Throws
 * CommandError INPUT_INVALID, EventLogError, MalformedError.
 */
export function inspectEventLog(evidence: EvidenceFile): JsonObject {
  if (evidence.form === 'bytes') return eventLogFacts(parseEventLog(evidence.bytes));
  throw new CommandError('INPUT_INVALID', 'expected the bytes of an event log, got JSON');
}

/** The log that came with other evidence. One that cannot be read is no reason to show nothing of the rest. */
export function attachedEventLog(bytes: Uint8Array | undefined): JsonObject {
  if (bytes === undefined) return {};
  try {
    return eventLogFacts(parseEventLog(bytes));
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return { event_log_error: { code: error.code, message: error.message } };
  }
}

/** The registers as the log says they came to be, by algorithm and index, and the events as policies see them. */
function eventLogFacts(log: EventLog): JsonObject {
  return { replayed_registers: replayedRegisters(log), uefi_event_logs: eventLogClaims(log) };
}

/** By each algorithm of which every measured record has a digest. */
function replayedRegisters(log: EventLog): JsonObject {
  const measured = log.records.filter(({ type }) => type !== EV_NO_ACTION);
  const complete = REPLAY_ALGORITHMS.filter((algorithm) =>
    measured.every(({ digests }) => digests.some((each) => each.algorithm.hash === algorithm)),
  );
  const registers: Record<string, JsonObject> = {};
  if (measured.length > 0) for (const each of complete) registers[each] = replayed(log, each);
  return registers;
}

function replayed(log: EventLog, algorithm: ReplayAlgorithm): JsonObject {
  const registers = [...replay(log, algorithm, initialPcrValues(log, algorithm))];
  return Object.fromEntries(registers.map(([index, value]) => [`${index}`, toHex(value)]));
}
