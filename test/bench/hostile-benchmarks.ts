import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HostileCost } from './hostile-cost.ts';
import type { Measurement } from './measurement.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, 'hostile-cost.ts');
const NODE_ARGUMENTS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
const MILLISECONDS = 5;
const MEBIBYTES = 8;

/** What it costs to read the worst of what anybody can send: a line for each kind and measure. */
export async function benchHostile(): Promise<readonly Measurement[]> {
  const { stdout } = await run(process.execPath, [...NODE_ARGUMENTS, PROGRAM], { maxBuffer: 2 ** 24 });
  const costs = JSON.parse(stdout) as readonly HostileCost[];
  return [...Map.groupBy(costs, ({ kind }) => kind)].flatMap(([kind, ofKind]) => [
    worst(ofKind, 'milliseconds', { name: `hostile ${kind}, time`, unit: 'ms', atMost: MILLISECONDS }),
    worst(ofKind, 'mebibytes', { name: `hostile ${kind}, memory`, unit: 'MiB', atMost: MEBIBYTES }),
  ]);
}

function worst(
  costs: readonly HostileCost[],
  measure: 'milliseconds' | 'mebibytes',
  { name, unit, atMost }: { readonly name: string; readonly unit: string; readonly atMost: number },
): Measurement {
  const [first] = costs.toSorted((one, other) => other[measure] - one[measure]);
  const amount = first?.[measure] ?? Number.NaN;
  return {
    name,
    value: { amount, unit },
    target: { text: `<= ${atMost} ${unit}`, met: amount <= atMost },
    note: `of ${costs.length} inputs the worst: ${first?.name ?? 'none'}`,
  };
}
