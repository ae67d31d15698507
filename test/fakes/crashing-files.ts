import { type DurableFiles, durableFiles } from '../../agent/attestation-agent/event-log/durable-files.ts';
import type { MeasurementRegisters } from '../../agent/attestation-agent/event-log/measurement-registers.ts';

/** The process ends here. */
export class Crash extends Error {}

/**
 * A process that ends after so many steps. Each byte that is written, each renaming, removal and extension is a step; of
 * what the last write was to bring, what came before the end is in the file.
 */
export interface Mortal {
  readonly files: DurableFiles;
  readonly registers: MeasurementRegisters;
  /** Steps that it took, when it lived. */
  readonly steps: () => number;
}

export function mortal(registers: MeasurementRegisters, life: number): Mortal {
  let steps = 0;
  const step = (): void => {
    if (steps === life) throw new Crash('the process ends');
    steps++;
  };
  return {
    steps: () => steps,
    files: {
      read: durableFiles.read,
      async write(path, offset, bytes) {
        const left = Math.min(bytes.byteLength, life - steps);
        steps += left;
        await durableFiles.write(path, offset, bytes.subarray(0, left));
        if (left < bytes.byteLength) throw new Crash('the process ends within a write');
        step();
      },
      async rename(from, to) {
        step();
        await durableFiles.rename(from, to);
        step();
      },
      async remove(path) {
        step();
        await durableFiles.remove(path);
        step();
      },
    },
    registers: {
      ...registers,
      async extend(register, digest) {
        step();
        await registers.extend(register, digest);
        step();
      },
    },
  };
}
