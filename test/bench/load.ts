/**
 * The load generator, a process of its own: `node load.ts PLAN.json`. Keeps every connection busy, with one request at a
 * time, and prints what it saw as JSON. It ends when the prepared requests are used up, or the time is over.
 */
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { percentiles } from './measurement.ts';

/** What to send where. */
export interface LoadPlan {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** One request again and again, for so many seconds; or bodies that are each sent once, a line of a file each. */
  readonly what: { readonly seconds: number } | { readonly bodiesFile: string };
  /** So many requests come first and are not counted. */
  readonly warmUp: number;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly ok: number;
  readonly notOk: number;
  /** Processor time of this process for each request, in microseconds: what the server did not have. */
  readonly ownMicroseconds: number;
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('expected the file of a load plan');
const plan = JSON.parse(readFileSync(file, 'utf8')) as LoadPlan;
const bodies =
  'bodiesFile' in plan.what ? readFileSync(plan.what.bodiesFile, 'latin1').trimEnd().split('\n') : [];

let next = 0;
await run({ amount: plan.warmUp });
const latencies: number[] = [];
const cpuBefore = process.cpuUsage();
const started = performance.now();
let ended = started; // the last answer: the generator itself looks at its watch only once a second
const measured = 'seconds' in plan.what ? { duration: plan.what.seconds } : { amount: bodies.length - next };
const result = await run(measured, (milliseconds) => {
  latencies.push(milliseconds);
  ended = performance.now();
});
const cpu = process.cpuUsage(cpuBefore);
const summary: LoadResult = {
  requestsPerSecond: (result['2xx'] * 1000) / (ended - started),
  ...percentiles(latencies),
  ok: result['2xx'],
  notOk: result.non2xx + result.errors + result.timeouts,
  ownMicroseconds: (cpu.user + cpu.system) / Math.max(1, latencies.length),
};
process.stdout.write(JSON.stringify(summary));

async function run(
  extent: { readonly amount: number } | { readonly duration: number },
  onLatency: (milliseconds: number) => void = () => undefined,
): Promise<autocannon.Result> {
  const { promise, resolve, reject } = Promise.withResolvers<autocannon.Result>();
  const options: autocannon.Options = {
    url: plan.url,
    connections: plan.connections,
    ...extent,
    requests: [
      {
        method: plan.method,
        path: plan.path,
        headers: plan.headers,
        ...(bodies.length > 0 && {
          setupRequest: (request: autocannon.Request) => ({
            ...request,
            body: bodies[next++ % bodies.length]!,
          }),
        }),
      },
    ],
  };
  const instance = autocannon(options, (error: Error | null, result) => {
    if (error === null) resolve(result);
    else reject(error);
  });
  instance.on('response', (_client, _status, _bytes, milliseconds) => {
    onLatency(milliseconds);
  });
  return await promise;
}
