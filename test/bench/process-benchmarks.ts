import type { BenchEstate, ProvidedServer } from './bench-estate.ts';
import { type Measurement, mean } from './measurement.ts';
import type { BenchServer } from './server-process.ts';

const STARTS = 3;
const START_MILLISECONDS = 1500;
const MEMORY_MEBIBYTES = 300;

/** From the start of the process until `/readyz` answers, on a database that is in use already. */
export async function benchStart(estate: BenchEstate, { database }: ProvidedServer): Promise<Measurement> {
  const starts: number[] = [];
  for (let count = 0; count < STARTS; count++) {
    const server = await estate.serve(database);
    starts.push(server.startMilliseconds);
    await server.stop();
  }
  const amount = mean(starts);
  return {
    name: 'start to ready, database there',
    value: { amount, unit: 'ms' },
    target: { text: `<= ${START_MILLISECONDS} ms`, met: amount <= START_MILLISECONDS },
    note: `mean of ${STARTS}`,
  };
}

/** What the server still holds after all that it has done. */
export async function benchMemory(server: BenchServer): Promise<Measurement> {
  const { mebibytes, peakMebibytes } = await server.memory();
  return {
    name: 'resident memory after the runs',
    value: { amount: mebibytes, unit: 'MiB' },
    target: { text: `<= ${MEMORY_MEBIBYTES} MiB`, met: mebibytes <= MEMORY_MEBIBYTES },
    note: `at most ${Math.round(peakMebibytes)} MiB`,
  };
}
