import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createRtmrRegisters,
  findRtmrRegisters,
} from '../../../../agent/attestation-agent/event-log/rtmr-registers.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-rtmr-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Files in the place of the kernel's: what is written to them stands there, and is not hashed. */
async function writeRegisters(bytes = 48): Promise<void> {
  for (const index of [0, 1, 2, 3])
    await writeFile(join(folder, `rtmr${index}:sha384`), Buffer.alloc(bytes, index + 1));
}

describe('findRtmrRegisters', () => {
  it('A7: finds none where the kernel does not show them', async () => {
    expect(await findRtmrRegisters(folder)).toBeUndefined();
    expect(await findRtmrRegisters(join(folder, 'nowhere'))).toBeUndefined();
  });

  it('reads and writes the file of a register, numbered from 1', async () => {
    await writeRegisters();
    const registers = (await findRtmrRegisters(folder))!;
    for (const register of [1, 2, 3, 4])
      expect(await registers.read(register)).toEqual(Buffer.alloc(48, register));
    await registers.extend(4, Buffer.alloc(48, 0xee));
    expect(await readFile(join(folder, 'rtmr3:sha384'))).toEqual(Buffer.alloc(48, 0xee));
    expect(await readFile(join(folder, 'rtmr2:sha384'))).toEqual(Buffer.alloc(48, 3));
  });

  it.each([
    [0, 4],
    [1, 1],
    [2, 2],
    [3, 2],
    [6, 2],
    [7, 1],
    [8, 3],
    [15, 3],
    [16, 4],
    [17, 4],
    [23, 4],
    [1000, 4],
  ])('maps PCR %i to register %i', async (pcr, register) => {
    expect(createRtmrRegisters(folder).registerOf(pcr)).toBe(register);
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses PCR %s', (pcr) => {
    expect(() => createRtmrRegisters(folder).registerOf(pcr)).toThrow(
      expect.objectContaining({ code: 'REGISTER_UNKNOWN' }),
    );
  });

  it('A7: fails where a register is not there, and makes no file in its place', async () => {
    const registers = createRtmrRegisters(folder);
    await expect(registers.read(4)).rejects.toMatchObject({ code: 'REGISTER_UNAVAILABLE' });
    await expect(registers.extend(4, Buffer.alloc(48))).rejects.toMatchObject({
      code: 'REGISTER_UNAVAILABLE',
    });
    expect(await readdir(folder)).toEqual([]);
    await expect(registers.read(5)).rejects.toMatchObject({ code: 'REGISTER_UNKNOWN' });
  });

  it.each([0, 47, 49])('refuses a register of %i bytes', async (bytes) => {
    await writeRegisters(bytes);
    await expect(createRtmrRegisters(folder).read(1)).rejects.toMatchObject({ code: 'REGISTER_UNAVAILABLE' });
  });

  it('says that the kernel refused', async () => {
    const device = createRtmrRegisters('/dev/null');
    await expect(device.read(1)).rejects.toMatchObject({ code: 'REGISTER_UNAVAILABLE' });
    await expect(device.extend(1, Buffer.alloc(48))).rejects.toMatchObject({ code: 'REGISTER_FAILED' });
  });
});
