import { readdir, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { encodeWriteAhead } from '../../../../agent/attestation-agent/event-log/write-ahead-entry.ts';
import { Crash, mortal } from '../../../fakes/crashing-files.ts';
import { type FakeRegisters, fakeRegisters } from '../../../fakes/fake-registers.ts';
import { event, useEventLogFolder } from './event-log-setup.ts';

/** Each of some hundred lives waits for the disk a dozen times. */
const SLOW_DISK_MILLISECONDS = 180_000;
const folder = useEventLogFolder();

describe('a process that ends', () => {
  /** Two events of before, one during which the process ends, into a register that is not the configured one. */
  async function endAfter(
    life: number,
    registerIndex: number | undefined,
  ): Promise<FakeRegisters | undefined> {
    await rm(folder.path, { recursive: true });
    const registers = fakeRegisters();
    const before = await folder.open(registers);
    await before.extend({ ...event, content: 'before' });
    await before.extend({ ...event, content: 'before', registerIndex: 5 });
    const process = mortal(registers, life);
    try {
      const dying = await folder.open(process.registers, { files: process.files });
      await dying.extend({ ...event, registerIndex });
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(Crash);
      return registers;
    }
  }

  it.each([undefined, 5, 3])(
    'after any byte and any step leaves log and register together, once the next has begun (register %s)',
    async (registerIndex) => {
      let lives = 0;
      for (let life = 0; ; life++) {
        const registers = await endAfter(life, registerIndex);
        if (registers === undefined) break;
        lives++;
        const next = await folder.open(registers);
        expect(next.hasUnreadableEntry).toBe(false);
        const recovered = await folder.requireAgreement(registers);
        expect([2, 3]).toContain(recovered.records.length);
        expect((await readdir(folder.path)).filter((name) => name === '.wal_event_entry')).toEqual([]);
        await next.extend({ ...event, content: 'after' });
        expect((await folder.requireAgreement(registers)).records).toHaveLength(recovered.records.length + 1);
      }
      // The entry, its record and the six steps in between: the loop did not end too early.
      expect(lives).toBeGreaterThan(8 + 48 + 24 + 98 + 6);
    },
    SLOW_DISK_MILLISECONDS,
  );

  it(
    'twice, the second time while it recovers, too',
    async () => {
      const first = 8 + 48 + 24 + 3;
      for (let life = 0; ; life++) {
        const registers = await endAfter(first, undefined);
        const process = mortal(registers!, life);
        const second = await folder
          .open(process.registers, { files: process.files })
          .catch((error: unknown) => error);
        if (!(second instanceof Crash)) {
          expect(life).toBeGreaterThan(98);
          break;
        }
        await folder.open(registers);
        expect((await folder.requireAgreement(registers!)).records).toHaveLength(3);
      }
    },
    SLOW_DISK_MILLISECONDS,
  );
});

describe('the write-ahead entry', () => {
  const text = 'domain operation content';
  const entry = { offset: 0, text, register: undefined };

  it('A21: that cannot be read is put aside, and said', async () => {
    const registers = fakeRegisters();
    const expected = Buffer.alloc(48, 1);
    const whole = Buffer.from(encodeWriteAhead({ ...entry, expected }));
    // Cut anywhere before the text has three parts, it is no entry at all.
    for (let length = 0; length <= whole.indexOf('operation') + 'operation'.length; length++) {
      await writeFile(folder.writeAheadPath, whole.subarray(0, length));
      const measurement = await folder.open(registers);
      expect(measurement.hasUnreadableEntry).toBe(true);
      expect((await readdir(folder.path)).toSorted()).toEqual(['.wal_event_entry.unreadable']);
      await rm(`${folder.writeAheadPath}.unreadable`);
    }
    const measurement = await folder.open(registers);
    expect(measurement.hasUnreadableEntry).toBe(false);
    expect(await measurement.extend(event)).toBe('ok');
    await folder.requireAgreement(registers);
  });

  it('of a register that holds neither the value before nor the one after is fatal', async () => {
    await writeFile(folder.writeAheadPath, encodeWriteAhead({ ...entry, expected: Buffer.alloc(48, 1) }));
    await expect(folder.open(fakeRegisters())).rejects.toMatchObject({ code: 'EVENT_LOG_DISAGREES' });
  });

  it('that goes behind the end of the log is fatal', async () => {
    const registers = fakeRegisters();
    await (await folder.open(registers)).extend(event);
    const expected = registers.values.get(17)!;
    await rm(folder.logPath);
    await writeFile(folder.writeAheadPath, encodeWriteAhead({ ...entry, expected, offset: 98 }));
    await expect(folder.open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_DISAGREES' });
  });

  it('of upstream, without a register, is of the configured one', async () => {
    const registers = fakeRegisters();
    const twin = fakeRegisters();
    await (await folder.open(twin)).extend(event);
    await rm(folder.logPath);
    await writeFile(folder.writeAheadPath, encodeWriteAhead({ ...entry, expected: twin.values.get(17)! }));
    await folder.open(registers);
    expect(registers.values).toEqual(twin.values);
    expect((await folder.requireAgreement(registers)).records).toHaveLength(1);
  });

  it('whose record is there already changes nothing behind it', async () => {
    const registers = fakeRegisters();
    const measurement = await folder.open(registers);
    await measurement.extend({ ...event, registerIndex: 3 });
    await measurement.extend(event);
    const before = await folder.bytes();
    const expected = registers.values.get(3)!;
    await writeFile(folder.writeAheadPath, encodeWriteAhead({ ...entry, expected, register: 3 }));
    await folder.open(registers);
    expect(await folder.bytes()).toEqual(before);
    expect(await readdir(folder.path)).toEqual(['eventlog']);
  });
});
