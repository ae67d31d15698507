/**
 * `node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 hostile-cost.ts`: what each hostile input costs, as JSON. A process
 * of its own, with room for new things, so that nothing is collected while an input is read and all that is made for it is counted.
 */
import { CodedError } from '../../server/errors/coded-error.ts';
import { type HostileInput, hostileInputs } from './hostile-inputs.ts';

export interface HostileCost {
  readonly kind: HostileInput['kind'];
  readonly name: string;
  readonly milliseconds: number;
  readonly mebibytes: number;
}

const RUNS = 15;

const costs: HostileCost[] = [];
for (const input of await hostileInputs()) costs.push(await costOf(input));
process.stdout.write(JSON.stringify(costs));

/** Medians: the first runs are of code that is not compiled yet, and the machine is never quiet. */
async function costOf({ kind, name, read }: HostileInput): Promise<HostileCost> {
  const milliseconds: number[] = [];
  const mebibytes: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    globalThis.gc?.();
    const before = bytesInUse();
    const started = performance.now();
    await refused(read);
    milliseconds.push(performance.now() - started);
    mebibytes.push((bytesInUse() - before) / 2 ** 20);
  }
  return { kind, name, milliseconds: median(milliseconds), mebibytes: median(mebibytes) };
}

async function refused(read: HostileInput['read']): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
}

function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
