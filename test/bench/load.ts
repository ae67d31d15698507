/**
 * The load generator, a process of its own: `node load.ts PLAN.json`. Sends each prepared request once, over keep-alive
 * connections, and prints what it saw as JSON. It ends when the requests are used up.
 */
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';

/** What to send where. `bodies` are used up one after the other by all connections together. */
export interface LoadPlan {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly amount: number;
  readonly bodies: readonly string[];
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly ok: number;
  readonly notOk: number;
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('expected the file of a load plan');
const plan = JSON.parse(readFileSync(file, 'utf8')) as LoadPlan;

let next = 0;
const started = performance.now();
const result = await autocannon({
  url: plan.url,
  connections: plan.connections,
  amount: plan.amount,
  requests: [
    {
      method: plan.method,
      path: plan.path,
      headers: plan.headers,
      ...(plan.bodies.length > 0 && {
        setupRequest: (request: autocannon.Request) => {
          const body = plan.bodies[next++ % plan.bodies.length];
          return body === undefined ? request : { ...request, body };
        },
      }),
    },
  ],
});
const seconds = (performance.now() - started) / 1000;
const summary: LoadResult = {
  requestsPerSecond: result['2xx'] / seconds,
  p50: result.latency.p50,
  p99: result.latency.p99,
  ok: result['2xx'],
  notOk: result.non2xx + result.errors + result.timeouts,
};
process.stdout.write(JSON.stringify(summary));
