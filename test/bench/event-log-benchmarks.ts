import { eventLogClaims } from '../../server/event-log/event-claims.ts';
import { parseEventLog } from '../../server/event-log/event-log.ts';
import { verifyReplay } from '../../server/event-log/replay.ts';
import type { BenchEstate } from './bench-estate.ts';
import { type BootLog, bootLog } from './boot-event-log.ts';
import { tdxGuest } from './guests.ts';
import { measureAttestation } from './http-benchmarks.ts';
import { type Measurement, mean, percentiles } from './measurement.ts';
import type { BenchServer } from './server-process.ts';

const LOG_BYTES = 64 * 1024;
const MILLISECONDS = 2;
const WARM_UP = 200;
/** Requests of some 120 KiB each are all in memory before they are sent. */
const PREPARED_PER_SECOND = 250;
const CONNECTIONS = 16;

/** What a full log of 64 KiB adds to a TDX request: read, replayed and shown, then in the whole server. */
export async function benchEventLog(
  estate: BenchEstate,
  server: BenchServer,
  rounds: number,
  seconds: number,
): Promise<readonly Measurement[]> {
  const log = bootLog(LOG_BYTES);
  return [proveLog(log, seconds), await overHttp(estate, server, log, rounds, seconds)];
}

function proveLog({ bytes, registers }: BootLog, seconds: number): Measurement {
  const expected = new Map(registers.map((value, index) => [index + 1, value]));
  const once = (): number => {
    const log = parseEventLog(bytes);
    verifyReplay(log, 'sha384', expected);
    return eventLogClaims(log).length;
  };
  const records = Array.from({ length: WARM_UP }, once)[0] ?? 0;
  const samples: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let before = performance.now(); before < end; ) {
    once();
    const after = performance.now();
    samples.push(after - before);
    before = after;
  }
  return {
    name: 'event log of 64 KiB in the engine',
    ...percentiles(samples),
    ...added(mean(samples)),
    note: `${records} records`,
  };
}

/** Processor time of the server, with and without, in turns. */
async function overHttp(
  estate: BenchEstate,
  server: BenchServer,
  log: BootLog,
  rounds: number,
  seconds: number,
): Promise<Measurement> {
  const guests = { plain: estate.guests.tdx, logged: tdxGuest(estate.intel, log) };
  const extent = { connections: CONNECTIONS, seconds, preparedPerSecond: PREPARED_PER_SECOND };
  const used = { plain: [] as number[], logged: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const which of ['plain', 'logged'] as const) {
      const measured = await measureAttestation(estate, server, guests[which], extent);
      used[which].push(measured.serverMicroseconds);
    }
  }
  const [plain, logged] = [mean(used.plain), mean(used.logged)];
  return {
    name: 'event log of 64 KiB over HTTP, server time',
    ...added((logged - plain) / 1000),
    note: `${Math.round(plain)} µs without, ${Math.round(logged)} µs with; ${rounds} turns each`,
  };
}

function added(amount: number): Pick<Measurement, 'value' | 'target'> {
  return {
    value: { amount, unit: 'ms' },
    target: { text: `<= ${MILLISECONDS} ms`, met: amount <= MILLISECONDS },
  };
}
