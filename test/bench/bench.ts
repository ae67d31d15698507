/** `npm run bench [-- --only NAME,… --seconds N --rows N --json FILE --profile DIR]`: how fast, as a table and as JSON. */
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { JsonObject } from '../../server/claims/claims.ts';
import { type BenchEstate, createBenchEstate, type ProvidedServer } from './bench-estate.ts';
import { cryptoMeasurements, measureCryptoRates } from './crypto-rates.ts';
import { benchEventLog } from './event-log-benchmarks.ts';
import { benchHostile } from './hostile-benchmarks.ts';
import {
  benchQuotes,
  benchRecord,
  benchResource,
  benchSnp,
  fetchToken,
  measureAttestation,
} from './http-benchmarks.ts';
import { type BenchReport, describeMachine, type Measurement, renderTable } from './measurement.ts';
import { benchPolicy } from './policy-benchmarks.ts';
import { benchMemory, benchStart } from './process-benchmarks.ts';
import { benchScale } from './scale-benchmarks.ts';

const USAGE = `usage: npm run bench -- [options]
  --only NAMES    of limits, policy, start, snp, tdx, sgx, event-log, hostile, sample, resource, record, scale; memory is
                  reported at the end
  --connections N,…  of the snp, tdx, sgx and resource benchmarks (default 1,16,64)
  --seconds N     how long each measurement takes (default 5)
  --rounds N      turns of each comparison (default 3)
  --rows N        decisions in the large database (default 1000000)
  --json FILE     also as JSON; - is standard output, in place of the table
  --profile DIR   every server writes CPU profiles there`;

type Benchmark = (estate: BenchEstate, provided: ProvidedServer) => Promise<readonly Measurement[]>;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    connections: { type: 'string', default: '1,16,64' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '1000000' },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const connections = values.connections.split(',').map(Number);
const rounds = Number(values.rounds);
const rows = Number(values.rows);

const benchmarks: Readonly<Record<string, Benchmark>> = {
  limits: async () => cryptoMeasurements(await measureCryptoRates(Math.min(seconds, 2))),
  policy: async (estate, { server, database }) =>
    await benchPolicy(database, await policyInput(estate, server), seconds / 2),
  start: async (estate, provided) => [await benchStart(estate, provided)],
  snp: async (estate, { server }) => await benchSnp(estate, server, seconds, connections),
  tdx: async (estate, { server }) => await benchQuotes(estate, server, 'tdx', seconds, connections),
  sgx: async (estate, { server }) => await benchQuotes(estate, server, 'sgx', seconds, connections),
  'event-log': async (estate, { server }) => await benchEventLog(estate, server, rounds, seconds),
  hostile: async () => await benchHostile(),
  sample: async (estate, { server }) => [
    await measureAttestation(estate, server, estate.guests.sample, { connections: 16, seconds }),
  ],
  resource: async (estate, { server }) => await benchResource(estate, server, seconds, connections),
  record: async (estate) => await benchRecord(estate, rounds, seconds),
  scale: async (estate) => await benchScale(estate, rounds, seconds, rows),
};
const chosen = values.only?.split(',') ?? Object.keys(benchmarks);
const isUsable =
  chosen.every((name) => benchmarks[name] !== undefined) &&
  [seconds, rounds, rows, ...connections].every((number) => Number.isInteger(number) && number > 0);
if (values.help || !isUsable) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}

const machine = describeMachine(loadavg()[0] ?? 0);
const estate = await createBenchEstate(values.profile);
const measurements: Measurement[] = [];
try {
  const provided = await estate.provide('main');
  for (const name of chosen) {
    process.stderr.write(`measuring ${name}\n`);
    measurements.push(...(await benchmarks[name]!(estate, provided)));
  }
  measurements.push(await benchMemory(provided.server));
} finally {
  await estate.close();
}
await report({ machine, measurements });

async function report(result: BenchReport): Promise<void> {
  const json = `${JSON.stringify(result, undefined, 2)}\n`;
  if (values.json === '-') {
    process.stdout.write(json);
    return;
  }
  if (values.json !== undefined) await writeFile(values.json, json);
  const { processor, cores, node, loadAverageBefore } = machine;
  process.stdout.write(
    `${processor}, ${cores} cores, Node ${node}, load ${loadAverageBefore.toFixed(1)} before\n\n`,
  );
  process.stdout.write(renderTable(result.measurements));
}

/** What the policy judges: as the token shows it. */
async function policyInput(at: BenchEstate, server: ProvidedServer['server']): Promise<JsonObject> {
  const token = z.looseObject({
    submods: z.object({
      cpu0: z.looseObject({
        'ear.veraison.annotated-evidence': z.record(z.string(), z.custom<JsonObject>()),
      }),
    }),
  });
  return token.parse(decodeJwt(await fetchToken(at, server))).submods.cpu0['ear.veraison.annotated-evidence'];
}
