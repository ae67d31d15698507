import { createTurns } from '../turns.ts';
import type { AaelEvent } from './aael-event.ts';
import { type DurableFiles, durableFiles } from './durable-files.ts';
import { EventJournal } from './event-journal.ts';
import { createLogFile } from './log-file.ts';
import type { MeasurementRegisters } from './measurement-registers.ts';

export interface RuntimeMeasurementOptions {
  readonly enabled: boolean;
  /** `undefined`: this TEE has none that can be extended. */
  readonly registers: MeasurementRegisters | undefined;
  /** For events that name no register: a PCR number, 17 unless configured. */
  readonly defaultPcr: number;
  readonly logPath?: string;
  readonly writeAheadPath?: string;
  readonly files?: DurableFiles;
}

export interface EventRequest extends AaelEvent {
  /** A PCR number; the configured one where there is none. */
  readonly registerIndex?: number | undefined;
}

/** The names of the protocol's enum. */
export type MeasurementResult = 'ok' | 'not-supported' | 'not-enabled';

/** A log that nobody writes to while somebody else looks at it and its registers. */
export interface MeasuredLog {
  /** Runs `work` with the log as it stands; what is measured meanwhile waits. `undefined`: there is no log. */
  whileUnchanged<T>(work: (log: Uint8Array | undefined) => Promise<T>): Promise<T>;
}

export interface RuntimeMeasurement extends MeasuredLog {
  /**
   * Measures an event: into the register, and into the log that explains the register. Throws RuntimeMeasurementError; when it
   * throws, the next call first finds out what became of this one.
   */
  extend(event: EventRequest): Promise<MeasurementResult>;
  /**
   * Whether what was about to be measured before the last start could not be read. It was put aside; if the register had
   * been extended already, the log does not explain it, and servers refuse the evidence.
   */
  readonly hasUnreadableEntry: boolean;
}

export const EVENT_LOG_PATH = '/run/attestation-agent/eventlog';
export const WRITE_AHEAD_PATH = '/run/attestation-agent/.wal_event_entry';

/**
 * The event log of the attestation agent (Confidential Containers, "Attestation Agent Event Log"), and its recovery. No event
 * is recorded at the start, unlike what its design says: what did not happen in this guest is not measured, and upstream
 * does not either. Throws RuntimeMeasurementError EVENT_LOG_DISAGREES where register and log cannot be brought together,
 * EVENT_LOG_MALFORMED, EVENT_LOG_FAILED, REGISTER_UNAVAILABLE, REGISTER_UNKNOWN.
 */
export async function openRuntimeMeasurement(
  options: RuntimeMeasurementOptions,
): Promise<RuntimeMeasurement> {
  const { enabled, registers, defaultPcr, files = durableFiles } = options;
  const { logPath = EVENT_LOG_PATH, writeAheadPath = WRITE_AHEAD_PATH } = options;
  const log = createLogFile(files, logPath);
  const journal =
    enabled && registers !== undefined
      ? new EventJournal({ files, writeAheadPath, log, registers, defaultPcr })
      : undefined;
  await journal?.recover();
  const inTurn = createTurns();
  return {
    async extend({ registerIndex, ...event }) {
      if (!enabled) return 'not-enabled';
      if (journal === undefined) return 'not-supported';
      await inTurn(async () => {
        await journal.append(event, registerIndex ?? defaultPcr);
      });
      return 'ok';
    },
    whileUnchanged: async (work) => await inTurn(async () => await work(await log.read())),
    get hasUnreadableEntry() {
      return journal?.hasUnreadableEntry ?? false;
    },
  };
}
