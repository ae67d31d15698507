import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadPlan, LoadResult } from './load.ts';
import type { Measurement } from './measurement.ts';
import type { BenchServer } from './server-process.ts';

type MeasuredRates = Required<Pick<Measurement, 'perSecond' | 'p50' | 'p99' | 'serverMicroseconds'>>;

export type Load = Pick<LoadPlan, 'method' | 'path' | 'connections' | 'warmUp'> & {
  readonly headers?: Readonly<Record<string, string>>;
  /** One request again and again, or bodies that are each sent once. */
  readonly what: { readonly seconds: number } | { readonly bodies: readonly string[] };
};

const run = promisify(execFile);
const GENERATOR = join(import.meta.dirname, 'load.ts');
/** Prepared requests are sent faster than that, or the server hangs. */
const TIMEOUT_MILLISECONDS = 300_000;

/** Sends it from a process of its own, and measures what the server uses for it. Throws when a request fails. */
export async function measureLoad(
  name: string,
  server: BenchServer,
  load: Load,
): Promise<Measurement & MeasuredRates> {
  const folder = await mkdtemp(join(tmpdir(), 'verigo-load-'));
  try {
    const plan = await writePlan(folder, server, load);
    const before = await server.cpuMicroseconds();
    const { stdout } = await run(process.execPath, [GENERATOR, plan], { timeout: TIMEOUT_MILLISECONDS });
    const used = (await server.cpuMicroseconds()) - before;
    const {
      requestsPerSecond: perSecond,
      p50,
      p99,
      ok,
      notOk,
      ownMicroseconds,
    } = JSON.parse(stdout) as LoadResult;
    if (notOk > 0 || ok === 0) throw new Error(`${name}: ${notOk} requests failed, ${ok} did not`);
    const note = `load generator ${Math.round(ownMicroseconds)} µs a request`;
    return { name, perSecond, p50, p99, serverMicroseconds: used / (ok + load.warmUp), note };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writePlan(folder: string, { address }: BenchServer, load: Load): Promise<string> {
  const file = join(folder, 'plan.json');
  const bodiesFile = join(folder, 'bodies');
  if ('bodies' in load.what) await writeFile(bodiesFile, load.what.bodies.join('\n'));
  const plan: LoadPlan = {
    url: address,
    method: load.method,
    path: load.path,
    headers: load.headers ?? {},
    connections: load.connections,
    warmUp: load.warmUp,
    what: 'bodies' in load.what ? { bodiesFile } : load.what,
  };
  await writeFile(file, JSON.stringify(plan));
  return file;
}
