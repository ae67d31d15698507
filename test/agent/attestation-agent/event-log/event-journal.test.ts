import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { logRecord } from '../../../../agent/attestation-agent/event-log/aael-event.ts';
import { verifyReplay } from '../../../../server/event-log/replay.ts';
import { fakeRegisters } from '../../../fakes/fake-registers.ts';
import { event, useEventLogFolder } from './event-log-setup.ts';

const folder = useEventLogFolder();

describe('measuring', () => {
  it.each(['sha256', 'sha384', 'sha512', 'sm3'] as const)('replays, with registers of %s', async (hash) => {
    const registers = fakeRegisters(hash);
    const measurement = await folder.open(registers);
    for (const content of ['a', 'b', '{"image":"c"}', ''])
      expect(await measurement.extend({ ...event, content })).toBe('ok');
    const log = await folder.requireAgreement(registers);
    expect(log.records.map(({ index }) => index)).toEqual([17, 17, 17, 17]);
    expect(await readdir(folder.path)).toEqual(['eventlog']);
  });

  it('A4: measures into the register that was asked for, and logs that one', async () => {
    const registers = fakeRegisters();
    const measurement = await folder.open(registers);
    for (const registerIndex of [3, undefined, 17, 3, 0])
      await measurement.extend({ ...event, registerIndex });
    const log = await folder.requireAgreement(registers);
    expect(log.records.map(({ index }) => index)).toEqual([3, 17, 17, 3, 0]);
  });

  it('A9: begins with no event of its own', async () => {
    const measurement = await folder.open(fakeRegisters());
    await measurement.extend(event);
    expect(await folder.bytes()).toEqual(Buffer.from(logRecord(17, 'domain operation content', 'sha384')));
  });

  it('goes on where the last process stopped', async () => {
    const registers = fakeRegisters();
    await (await folder.open(registers)).extend(event);
    await (await folder.open(registers)).extend({ ...event, content: 'later' });
    expect((await folder.requireAgreement(registers)).records).toHaveLength(2);
  });

  it('takes turns, whoever asks at once', async () => {
    const registers = fakeRegisters();
    const measurement = await folder.open(registers);
    const contents = Array.from({ length: 20 }, (_, index) => `${index}`);
    await Promise.all(contents.map(async (content) => await measurement.extend({ ...event, content })));
    const log = await folder.requireAgreement(registers);
    expect(log.records.map(({ event: bytes }) => Buffer.from(bytes).toString().split(' ').at(-1))).toEqual(
      contents,
    );
  });

  it('lets nobody measure while a log is looked at', async () => {
    const registers = fakeRegisters();
    const measurement = await folder.open(registers);
    await measurement.extend(event);
    let waiting: Promise<unknown> | undefined;
    await measurement.whileUnchanged(async (log) => {
      waiting = measurement.extend({ ...event, content: 'meanwhile' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await folder.bytes()).toEqual(Buffer.from(log!));
      expect(registers.values.get(17)).toEqual(await registers.read(17));
      verifyReplay(await folder.read('sha384'), 'sha384', registers.values);
    });
    await waiting;
    expect((await folder.requireAgreement(registers)).records).toHaveLength(2);
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['A8: a domain with a space', 'EVENT_TOKEN_MALFORMED', { domain: 'a b' }],
    ['A8: an operation with a line break', 'EVENT_TOKEN_MALFORMED', { operation: 'a\nb' }],
    ['content with a line break', 'EVENT_CONTENT_MALFORMED', { content: 'a\nb' }],
    ['an event that is too long', 'EVENT_TOO_LARGE', { content: 'a'.repeat(33_000) }],
  ])('refuses %s, and measures nothing', async (_what, code, change) => {
    const registers = fakeRegisters();
    const measurement = await folder.open(registers);
    await expect(measurement.extend({ ...event, ...change })).rejects.toMatchObject({ code });
    expect(registers.values.size).toBe(0);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('stops before the log is more than servers read', async () => {
    const registers = fakeRegisters();
    const record = Buffer.from(logRecord(17, 'a b c', 'sha384'));
    await writeFile(folder.logPath, Buffer.concat(Array.from({ length: 1536 }, () => record)));
    const measurement = await folder.open(registers);
    await expect(measurement.extend(event)).rejects.toMatchObject({ code: 'EVENT_LOG_FULL' });
    expect(registers.values.size).toBe(0);
  });

  it('refuses a log that is not made of whole records', async () => {
    const registers = fakeRegisters();
    await (await folder.open(registers)).extend(event);
    await truncate(folder.logPath, 97);
    await expect(folder.open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
    await writeFile(folder.logPath, logRecord(17, 'a b c', 'sha256'));
    await expect(folder.open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
    await writeFile(folder.logPath, Buffer.alloc(400_000));
    await expect(folder.open(registers)).rejects.toMatchObject({ code: 'EVENT_LOG_MALFORMED' });
  });

  it('says that the files cannot be written', async () => {
    const options = { logPath: join(folder.path, 'eventlog'), writeAheadPath: '/dev/null/entry' };
    await expect(folder.open(fakeRegisters(), options)).rejects.toMatchObject({ code: 'EVENT_LOG_FAILED' });
  });
});

describe('A3: without registers, or without being asked to', () => {
  it('says so and keeps serving', async () => {
    expect(await (await folder.open(undefined)).extend(event)).toBe('not-supported');
    expect(await (await folder.open(fakeRegisters(), { enabled: false })).extend(event)).toBe('not-enabled');
    expect(await (await folder.open(undefined, { enabled: false })).extend(event)).toBe('not-enabled');
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('shows a log that somebody else wrote', async () => {
    await writeFile(folder.logPath, 'log');
    const measurement = await folder.open(undefined, { enabled: false });
    expect(await measurement.whileUnchanged(async (log) => log)).toEqual(Buffer.from('log'));
    await rm(folder.logPath);
    expect(await measurement.whileUnchanged(async (log) => log)).toBeUndefined();
  });
});

describe('a register that fails', () => {
  const failure = new Error('the register says no');

  it('and was not extended, leaves no trace', async () => {
    const registers = fakeRegisters();
    let isFailing = true;
    const measurement = await folder.open({
      ...registers,
      extend: async (register, digest) => {
        if (isFailing) throw failure;
        await registers.extend(register, digest);
      },
    });
    await expect(measurement.extend(event)).rejects.toBe(failure);
    expect(await readdir(folder.path)).toEqual([]);
    isFailing = false;
    expect(await measurement.extend({ ...event, content: 'again' })).toBe('ok');
    expect((await folder.requireAgreement(registers)).records).toHaveLength(1);
  });

  it('and was extended all the same, is logged', async () => {
    const registers = fakeRegisters();
    const measurement = await folder.open({
      ...registers,
      extend: async (register, digest) => {
        await registers.extend(register, digest);
        throw failure;
      },
    });
    expect(await measurement.extend(event)).toBe('ok');
    expect((await folder.requireAgreement(registers)).records).toHaveLength(1);
  });

  it('and cannot be read either, is asked again by the next', async () => {
    const registers = fakeRegisters();
    let isGone = false;
    let failures = 1;
    const measurement = await folder.open({
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
    expect(await readdir(folder.path)).toEqual(['.wal_event_entry']);
    isGone = false;
    expect(await measurement.extend({ ...event, content: 'next' })).toBe('ok');
    const log = await folder.requireAgreement(registers);
    expect(log.records.map(({ event: bytes }) => Buffer.from(bytes).toString().split(' ').at(-1))).toEqual([
      'content',
      'next',
    ]);
  });
});
