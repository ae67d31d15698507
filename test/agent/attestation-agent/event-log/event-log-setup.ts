import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { RegisterHash } from '../../../../agent/attestation-agent/event-log/aael-event.ts';
import {
  openRuntimeMeasurement,
  type RuntimeMeasurement,
  type RuntimeMeasurementOptions,
} from '../../../../agent/attestation-agent/event-log/runtime-measurement.ts';
import { specIdHeader } from '../../../../agent/attestation-agent/event-log/spec-id-header.ts';
import { type EventLog, parseEventLog } from '../../../../server/event-log/event-log.ts';
import { verifyReplay } from '../../../../server/event-log/replay.ts';
import type { FakeRegisters } from '../../../fakes/fake-registers.ts';

export const event = { domain: 'domain', operation: 'operation', content: 'content' };

/** A folder of its own for each test, with the log and the entry in it. */
export interface EventLogFolder {
  readonly path: string;
  readonly logPath: string;
  readonly writeAheadPath: string;
  open(
    registers: RuntimeMeasurementOptions['registers'],
    options?: Partial<RuntimeMeasurementOptions>,
  ): Promise<RuntimeMeasurement>;
  /** Of the log; empty where there is none. */
  bytes(): Promise<Buffer>;
  read(hash: RegisterHash): Promise<EventLog>;
  /** As a server does it: every register that was extended, and no other, is what the log says. */
  requireAgreement(registers: FakeRegisters): Promise<EventLog>;
}

export function useEventLogFolder(): EventLogFolder {
  let path = '';
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'verigo-event-log-'));
  });
  afterEach(async () => {
    await rm(path, { recursive: true });
  });
  const folder: EventLogFolder = {
    get path() {
      return path;
    },
    get logPath() {
      return join(path, 'eventlog');
    },
    get writeAheadPath() {
      return join(path, '.wal_event_entry');
    },
    async open(registers, options = {}) {
      const { logPath, writeAheadPath } = folder;
      const usual = { enabled: true, defaultPcr: 17, logPath, writeAheadPath, registers };
      return await openRuntimeMeasurement({ ...usual, ...options });
    },
    bytes: async () => await readFile(folder.logPath).catch(() => Buffer.alloc(0)),
    read: async (hash) => parseEventLog(Buffer.concat([specIdHeader([hash]), await folder.bytes()])),
    async requireAgreement(registers) {
      const log = await folder.read(registers.hash);
      verifyReplay(log, registers.hash, registers.values);
      return log;
    },
  };
  return folder;
}
