import { bytesEqual } from '../../../server/bytes/byte-strings.ts';
import { type AaelEvent, aaelText, eventDigest, extended, logRecord } from './aael-event.ts';
import type { DurableFiles } from './durable-files.ts';
import { countRecords, type LogFile, requireRoom } from './log-file.ts';
import type { MeasurementRegisters } from './measurement-registers.ts';
import { RuntimeMeasurementError } from './runtime-measurement-error.ts';
import { storing } from './storing.ts';
import { decodeWriteAhead, encodeWriteAhead, type WriteAheadEntry } from './write-ahead-entry.ts';

export interface EventJournalOptions {
  readonly files: DurableFiles;
  readonly writeAheadPath: string;
  readonly log: LogFile;
  readonly registers: MeasurementRegisters;
  readonly defaultPcr: number;
}

const MAX_ENTRY_BYTES = 64 * 1024;

/**
 * Keeps log and registers together, whenever this process ends: what is about to be measured is written down first, then
 * measured, then logged, then struck out. Whoever calls sees to it that calls follow each other.
 */
export class EventJournal {
  readonly #options: EventJournalOptions;
  readonly #defaultRegister: number;
  #hasUnreadableEntry = false;
  /** Whether there may be an entry that nobody has finished. */
  #isUnfinished = true;

  /** Throws RuntimeMeasurementError REGISTER_UNKNOWN, REGISTER_RESERVED for the configured PCR. */
  constructor(options: EventJournalOptions) {
    this.#options = options;
    this.#defaultRegister = options.registers.registerOf(options.defaultPcr);
  }

  get hasUnreadableEntry(): boolean {
    return this.#hasUnreadableEntry;
  }

  /** Finishes what a crash interrupted. Throws RuntimeMeasurementError EVENT_LOG_DISAGREES, EVENT_LOG_…, REGISTER_… */
  async recover(): Promise<void> {
    const { files, writeAheadPath, log, registers } = this.#options;
    const bytes = await storing(async () => await files.read(writeAheadPath, MAX_ENTRY_BYTES));
    if (bytes !== undefined) {
      const entry = decodeWriteAhead(bytes, registers.hash);
      if (entry === undefined) await this.#putAside();
      else await this.#finish(entry);
    }
    countRecords((await log.read()) ?? new Uint8Array(), registers.hash);
    this.#isUnfinished = false;
  }

  /** Measures an event into the register of a PCR. Throws RuntimeMeasurementError. */
  async append(event: AaelEvent, pcr: number): Promise<void> {
    const { log, registers } = this.#options;
    const { hash } = registers;
    const text = aaelText(event);
    const register = registers.registerOf(pcr);
    if (this.#isUnfinished) await this.recover();
    const records = (await log.read()) ?? new Uint8Array();
    const record = logRecord(register, text, hash);
    requireRoom(records, record, hash);
    const before = await registers.read(register);
    const digest = eventDigest(text, hash);
    const expected = extended(before, digest, hash);
    const stated = register === this.#defaultRegister ? undefined : register;
    this.#isUnfinished = true;
    await this.#writeEntry({ offset: records.byteLength, expected, text, register: stated });
    await this.#extendOnce(register, digest, { before, expected });
    await log.put(records.byteLength, record);
    await this.#removeEntry();
    this.#isUnfinished = false;
  }

  async #finish({ offset, expected, text, register: stated }: WriteAheadEntry): Promise<void> {
    const { log, registers } = this.#options;
    const { hash } = registers;
    const register = stated ?? this.#defaultRegister;
    const digest = eventDigest(text, hash);
    const current = await registers.read(register);
    const isExtended = bytesEqual(current, expected);
    const isAhead = !isExtended && bytesEqual(extended(current, digest, hash), expected);
    const length = (await log.read())?.byteLength ?? 0;
    if ((!isExtended && !isAhead) || offset > length) {
      throw new RuntimeMeasurementError(
        'EVENT_LOG_DISAGREES',
        `expected register ${register} and the log as they were before or after the last event, got others`,
      );
    }
    if (isAhead) await registers.extend(register, digest);
    await log.put(offset, logRecord(register, text, hash));
    await this.#removeEntry();
  }

  /** A register that says no may have been extended all the same: it is asked, and only then the event is given up. */
  async #extendOnce(
    register: number,
    digest: Uint8Array,
    { before, expected }: { readonly before: Uint8Array; readonly expected: Uint8Array },
  ): Promise<void> {
    const { registers } = this.#options;
    try {
      await registers.extend(register, digest);
    } catch (error) {
      const current = await registers.read(register);
      if (bytesEqual(current, expected)) return;
      if (bytesEqual(current, before)) {
        await this.#removeEntry();
        this.#isUnfinished = false;
      }
      throw error;
    }
  }

  /** Whole or not at all, by renaming. */
  async #writeEntry(entry: WriteAheadEntry): Promise<void> {
    const { files, writeAheadPath } = this.#options;
    const partial = `${writeAheadPath}.new`;
    await storing(async () => {
      await files.write(partial, 0, encodeWriteAhead(entry));
      await files.rename(partial, writeAheadPath);
    });
  }

  async #removeEntry(): Promise<void> {
    const { files, writeAheadPath } = this.#options;
    await storing(async () => {
      await files.remove(writeAheadPath);
    });
  }

  /** Entries appear whole: one that cannot be read was not ours, or the disk lost it. */
  async #putAside(): Promise<void> {
    const { files, writeAheadPath } = this.#options;
    await storing(async () => {
      await files.rename(writeAheadPath, `${writeAheadPath}.unreadable`);
    });
    this.#hasUnreadableEntry = true;
  }
}
