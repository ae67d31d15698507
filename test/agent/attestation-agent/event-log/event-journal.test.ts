import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logRecord, type RegisterHash } from '../../../../agent/attestation-agent/event-log/aael-event.ts';
import {
  openRuntimeMeasurement,
  type RuntimeMeasurement,
  type RuntimeMeasurementOptions,
} from '../../../../agent/attestation-agent/event-log/runtime-measurement.ts';
import { specIdHeader } from '../../../../agent/attestation-agent/event-log/spec-id-header.ts';
import { encodeWriteAhead } from '../../../../agent/attestation-agent/event-log/write-ahead-entry.ts';
import { type EventLog, parseEventLog } from '../../../../server/event-log/event-log.ts';
import { verifyReplay } from '../../../../server/event-log/replay.ts';
import { Crash, mortal } from '../../../fakes/crashing-files.ts';
import { type FakeRegisters, fakeRegisters } from '../../../fakes/fake-registers.ts';

const event = { domain: 'domain', operation: 'operation', content: 'content' };

let folder: string;
let logPath: string;
let writeAheadPath: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-event-log-'));
  logPath = join(folder, 'eventlog');
  writeAheadPath = join(folder, '.wal_event_entry');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function open(
  registers: RuntimeMeasurementOptions['registers'],
  options: Partial<RuntimeMeasurementOptions> = {},
): Promise<RuntimeMeasurement> {
  return await openRuntimeMeasurement({
    ...{ enabled: true, defaultPcr: 17, logPath, writeAheadPath, registers },
    ...options,
  });
}

async function readLog(hash: RegisterHash): Promise<EventLog> {
  return parseEventLog(Buffer.concat([specIdHeader([hash]), await bytesOf(logPath)]));
}

async function bytesOf(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => Buffer.alloc(0));
}

/** As a server does it: every register that was extended, and no other, is what the log says. */
async function requireAgreement(registers: FakeRegisters): Promise<EventLog> {
  const log = await readLog(registers.hash);
  verifyReplay(log, registers.hash, registers.values);
  return log;
}

describe('measuring', () => {
  it.each(['sha256', 'sha384', 'sha512', 'sm3'] as const)('replays, with registers of %s', async (hash) => {
    const registers = fakeRegisters(hash);
    const measurement = await open(registers);
    for (const content of ['a', 'b', '{"image":"c"}', ''])
      expect(await measurement.extend({ ...event, content })).toBe('ok');
    const log = await requireAgreement(registers);
    expect(log.records.map(({ index }) => index)).toEqual([17, 17, 17, 17]);
    expect(await readdir(folder)).toEqual(['eventlog']);
  });

  it('A4: measures into the register that was asked for, and logs that one', async () => {
    const registers = fakeRegisters();
    const measurement = await open(registers);
    for (const registerIndex of [3, undefined, 17, 3, 0])
      await measurement.extend({ ...event, registerIndex });
    const log = await requireAgreement(registers);
    expect(log.records.map(({ index }) => index)).toEqual([3, 17, 17, 3, 0]);
  });

  it('A9: begins with no event of its own', async () => {
    const measurement = await open(fakeRegisters());
    await measurement.extend(event);
    expect(await bytesOf(logPath)).toEqual(Buffer.from(logRecord(17, 'domain operation content', 'sha384')));
  });

  it('goes on where the last process stopped', async () => {
    const registers = fakeRegisters();
    await (await open(registers)).extend(event);
    await (await open(registers)).extend({ ...event, content: 'later' });
    expect((await requireAgreement(registers)).records).toHaveLength(2);
  });

  it('takes turns, whoever asks at once', async () => {
    const registers = fakeRegisters();
    const measurement = await open(registers);
    const contents = Array.from({ length: 20 }, (_, index) => `${index}`);
    await Promise.all(contents.map(async (content) => await measurement.extend({ ...event, content })));
    const log = await requireAgreement(registers);
    expect(log.records.map(({ event: bytes }) => Buffer.from(bytes).toString().split(' ').at(-1))).toEqual(
      contents,
    );
  });

  it('lets nobody measure while a log is looked at', async () => {
    const registers = fakeRegisters();
    const measurement = await open(registers);
    await measurement.extend(event);
    let waiting: Promise<unknown> | undefined;
    await measurement.whileUnchanged(async (log) => {
      waiting = measurement.extend({ ...event, content: 'meanwhile' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await bytesOf(logPath)).toEqual(Buffer.from(log!));
      expect(registers.values.get(17)).toEqual(await registers.read(17));
      verifyReplay(await readLog('sha384'), 'sha384', registers.values);
    });
    await waiting;
    expect((await requireAgreement(registers)).records).toHaveLength(2);
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['A8: a domain with a space', 'EVENT_TOKEN_MALFORMED', { domain: 'a b' }],
    ['A8: an operation with a line break', 'EVENT_TOKEN_MALFORMED', { operation: 'a\nb' }],
    ['content with a line break', 'EVENT_CONTENT_MALFORMED', { content: 'a\nb' }],
    ['an event that is too long', 'EVENT_TOO_LARGE', { content: 'a'.repeat(33_000) }],
  ])('refuses %s, and measures nothing', async (_what, code, change) => {
    const registers = fakeRegisters();
    const measurement = await open(registers);
    await expect(measurement.extend({ ...event, ...change })).rejects.toMatchObject({ code });
    expect(registers.values.size).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it('stops before the log is more than servers read', async () => {
    const registers = fakeRegisters();
    const record = Buffer.from(logRecord(17, 'a b c', 'sha384'));
    await writeFile(logPath, Buffer.concat(Array.from({ length: 1536 }, () => record)));
    const measurement = await open(registers);
    await expect(measurement.extend(event)).rejects.toMatchObject({ code: 'EVENT_LOG_FULL' });
    expect(registers.values.size).toBe(0);
  });

  it('refuses a log that is not made of whole records', async () => {
    const registers = fakeRegisters();
    await (await open(registers)).extend(event);
    await truncate(logPath, 97);
    await expect(open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
    await writeFile(logPath, logRecord(17, 'a b c', 'sha256'));
    await expect(open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
    await writeFile(logPath, Buffer.alloc(400_000));
    await expect(open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
  });

  it('says that the files cannot be written', async () => {
    const options = { logPath: join(folder, 'eventlog'), writeAheadPath: '/dev/null/entry' };
    await expect(open(fakeRegisters(), options)).rejects.toMatchObject({ code: 'EVENT_LOG_FAILED' });
  });
});

describe('A3: without registers, or without being asked to', () => {
  it('says so and keeps serving', async () => {
    expect(await (await open(undefined)).extend(event)).toBe('not-supported');
    expect(await (await open(fakeRegisters(), { enabled: false })).extend(event)).toBe('not-enabled');
    expect(await (await open(undefined, { enabled: false })).extend(event)).toBe('not-enabled');
    expect(await readdir(folder)).toEqual([]);
  });

  it('shows a log that somebody else wrote', async () => {
    await writeFile(logPath, 'log');
    const measurement = await open(undefined, { enabled: false });
    expect(await measurement.whileUnchanged(async (log) => log)).toEqual(Buffer.from('log'));
    await rm(logPath);
    expect(await measurement.whileUnchanged(async (log) => log)).toBeUndefined();
  });
});

describe('a register that fails', () => {
  const failure = new Error('the register says no');

  it('and was not extended, leaves no trace', async () => {
    const registers = fakeRegisters();
    let isFailing = true;
    const measurement = await open({
      ...registers,
      extend: async (register, digest) => {
        if (isFailing) throw failure;
        await registers.extend(register, digest);
      },
    });
    await expect(measurement.extend(event)).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
    isFailing = false;
    expect(await measurement.extend({ ...event, content: 'again' })).toBe('ok');
    expect((await requireAgreement(registers)).records).toHaveLength(1);
  });

  it('and was extended all the same, is logged', async () => {
    const registers = fakeRegisters();
    const measurement = await open({
      ...registers,
      extend: async (register, digest) => {
        await registers.extend(register, digest);
        throw failure;
      },
    });
    expect(await measurement.extend(event)).toBe('ok');
    expect((await requireAgreement(registers)).records).toHaveLength(1);
  });

  it('and cannot be read either, is asked again by the next', async () => {
    const registers = fakeRegisters();
    let isGone = false;
    let failures = 1;
    const measurement = await open({
      ...registers,
      read: async (register) => {
        if (isGone) throw failure;
        return await registers.read(register);
      },
      extend: async (register, digest) => {
        await registers.extend(register, digest);
        isGone = failures-- > 0;
        if (isGone) throw failure;
      },
    });
    await expect(measurement.extend(event)).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual(['.wal_event_entry']);
    isGone = false;
    expect(await measurement.extend({ ...event, content: 'next' })).toBe('ok');
    const log = await requireAgreement(registers);
    expect(log.records.map(({ event: bytes }) => Buffer.from(bytes).toString().split(' ').at(-1))).toEqual([
      'content',
      'next',
    ]);
  });
});

describe('a process that ends', () => {
  /** Two events of before, one during which the process ends, into a register that is not the configured one. */
  async function endAfter(
    life: number,
    registerIndex: number | undefined,
  ): Promise<FakeRegisters | undefined> {
    await rm(folder, { recursive: true });
    const registers = fakeRegisters();
    const before = await open(registers);
    await before.extend({ ...event, content: 'before' });
    await before.extend({ ...event, content: 'before', registerIndex: 5 });
    const process = mortal(registers, life);
    try {
      const dying = await open(process.registers, { files: process.files });
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
        const next = await open(registers);
        expect(next.hasUnreadableEntry).toBe(false);
        const recovered = await requireAgreement(registers);
        expect([2, 3]).toContain(recovered.records.length);
        expect((await readdir(folder)).filter((name) => name === '.wal_event_entry')).toEqual([]);
        await next.extend({ ...event, content: 'after' });
        expect((await requireAgreement(registers)).records).toHaveLength(recovered.records.length + 1);
      }
      // The entry, its record and the six steps in between: the loop did not end too early.
      expect(lives).toBeGreaterThan(8 + 48 + 24 + 98 + 6);
    },
  );

  it('twice, the second time while it recovers, too', async () => {
    const first = 8 + 48 + 24 + 3;
    for (let life = 0; ; life++) {
      const registers = await endAfter(first, undefined);
      const process = mortal(registers!, life);
      const second = await open(process.registers, { files: process.files }).catch((error: unknown) => error);
      if (!(second instanceof Crash)) {
        expect(life).toBeGreaterThan(98);
        break;
      }
      await open(registers!);
      expect((await requireAgreement(registers!)).records).toHaveLength(3);
    }
  });
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
      await writeFile(writeAheadPath, whole.subarray(0, length));
      const measurement = await open(registers);
      expect(measurement.hasUnreadableEntry).toBe(true);
      expect((await readdir(folder)).toSorted()).toEqual(['.wal_event_entry.unreadable']);
      await rm(`${writeAheadPath}.unreadable`);
    }
    const measurement = await open(registers);
    expect(measurement.hasUnreadableEntry).toBe(false);
    expect(await measurement.extend(event)).toBe('ok');
    await requireAgreement(registers);
  });

  it('of a register that holds neither the value before nor the one after is fatal', async () => {
    await writeFile(writeAheadPath, encodeWriteAhead({ ...entry, expected: Buffer.alloc(48, 1) }));
    await expect(open(fakeRegisters())).rejects.toMatchObject({ code: 'EVENT_LOG_DISAGREES' });
  });

  it('that goes behind the end of the log is fatal', async () => {
    const registers = fakeRegisters();
    await (await open(registers)).extend(event);
    const expected = registers.values.get(17)!;
    await rm(logPath);
    await writeFile(writeAheadPath, encodeWriteAhead({ ...entry, expected, offset: 98 }));
    await expect(open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_DISAGREES' });
  });

  it('of upstream, without a register, is of the configured one', async () => {
    const registers = fakeRegisters();
    const twin = fakeRegisters();
    await (await open(twin)).extend(event);
    await rm(logPath);
    await writeFile(writeAheadPath, encodeWriteAhead({ ...entry, expected: twin.values.get(17)! }));
    await open(registers);
    expect(registers.values).toEqual(twin.values);
    expect((await requireAgreement(registers)).records).toHaveLength(1);
  });

  it('whose record is there already changes nothing behind it', async () => {
    const registers = fakeRegisters();
    const measurement = await open(registers);
    await measurement.extend({ ...event, registerIndex: 3 });
    await measurement.extend(event);
    const before = await bytesOf(logPath);
    const expected = registers.values.get(3)!;
    await writeFile(writeAheadPath, encodeWriteAhead({ ...entry, expected, register: 3 }));
    await open(registers);
    expect(await bytesOf(logPath)).toEqual(before);
    expect(await readdir(folder)).toEqual(['eventlog']);
  });
});
