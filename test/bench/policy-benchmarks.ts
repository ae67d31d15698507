import type { JsonObject } from '../../server/claims/claims.ts';
import { parsePolicyName } from '../../server/policy/policy.ts';
import { createPolicyEngine } from '../../server/policy/policy-engine.ts';
import { createPolicyEvaluator } from '../../server/policy/policy-evaluator.ts';
import { createPolicyRepository } from '../../server/policy/policy-repository.ts';
import type { PolicyModule } from '../../server/policy/policy-thread.ts';
import { createReferenceValueRepository } from '../../server/reference-values/reference-value-repository.ts';
import { addReferenceValues, type BenchDatabase } from './bench-database.ts';
import { type Measurement, mean, percentiles } from './measurement.ts';

const WARM_UP = 2000;
const SIZES = [10, 100_000];
const AT_MOST_MICROSECONDS = 150;
const LIMITS = {
  memoryPages: 512,
  keptValues: 20_000,
  keptValueCharacters: 32 * 2 ** 20,
  resultCharacters: 256 * 1024,
};

/** The default policy for CPUs on the claims of an SNP report, with few and with many reference values. */
export async function benchPolicy(
  database: BenchDatabase,
  input: JsonObject,
  seconds: number,
): Promise<readonly Measurement[]> {
  const module = await defaultPolicy(database);
  const measurements: Measurement[] = [];
  for (const size of SIZES) {
    await addReferenceValues(database, size);
    const values = `${size.toLocaleString('en')} reference values`;
    measurements.push(await benchEvaluator(module, database, input, seconds, values));
    measurements.push(...(await benchEngine(module, database, input, seconds, values)));
  }
  return measurements;
}

async function defaultPolicy({ db }: BenchDatabase): Promise<PolicyModule> {
  const policies = createPolicyRepository(db, NOBODY_LISTENS);
  const policy = await policies.findActive('attestation', parsePolicyName('default_cpu'));
  if (policy === undefined) throw new Error('expected the default policy in the database');
  return { id: 'default_cpu', name: policy.name, bytes: policy.module };
}

const NOBODY_LISTENS = { announce: async (): Promise<void> => undefined };

/** The engine alone, as it runs inside a worker thread: input in, document out. */
async function benchEvaluator(
  module: PolicyModule,
  { db }: BenchDatabase,
  input: JsonObject,
  seconds: number,
  values: string,
): Promise<Measurement> {
  const find = createReferenceValueRepository(db, NOBODY_LISTENS).findMany;
  const evaluator = createPolicyEvaluator(LIMITS);
  evaluator.load(module.id, module.bytes);
  const text = JSON.stringify(input);
  const evaluate = async (): Promise<readonly string[]> => {
    const shape = { id: 1, module: module.id, input: text, data: '{}', at: 0, values: [] };
    const outcome = await evaluator.evaluate(shape);
    if (outcome.kind === 'failed') throw new Error(outcome.why);
    return outcome.kind === 'needs' ? outcome.names : [];
  };
  // What it asks for depends on what it has been told.
  for (let names = await evaluate(); names.length > 0; names = await evaluate()) {
    const found = await find(names);
    evaluator.keepValues(
      names.map((name) => ({ name, json: JSON.stringify(found.get(name)?.value), expiresAt: undefined })),
    );
  }
  const samples = await sample(seconds, async () => {
    await evaluate();
  });
  const microseconds = mean(samples) * 1000;
  return {
    name: `policy in the engine, ${values}`,
    perSecond: 1_000_000 / microseconds,
    ...percentiles(samples),
    value: { amount: microseconds, unit: 'µs' },
    target: { text: `<= ${AT_MOST_MICROSECONDS} µs`, met: microseconds <= AT_MOST_MICROSECONDS },
  };
}

/** To the worker thread and back: one after the other, many at once, and after a change, when values are looked up anew. */
async function benchEngine(
  module: PolicyModule,
  { db }: BenchDatabase,
  input: JsonObject,
  seconds: number,
  values: string,
): Promise<readonly Measurement[]> {
  const references = createReferenceValueRepository(db, NOBODY_LISTENS);
  const engine = createPolicyEngine({ lookUpReferenceValues: references.findMany });
  const evaluate = async (): Promise<void> => {
    await engine.evaluate({ module, input, at: new Date() });
  };
  try {
    const alone = await sample(seconds, evaluate);
    const started = performance.now();
    const many = (
      await Promise.all(Array.from({ length: 16 }, async () => await sample(seconds, evaluate)))
    ).flat();
    const perSecond = (many.length * 1000) / (performance.now() - started);
    const changed = await sample(
      seconds / 2,
      async () => {
        engine.forgetReferenceValues();
        await evaluate();
      },
      100,
    );
    return [
      { name: `policy there and back, ${values}`, perSecond: 1000 / mean(alone), ...percentiles(alone) },
      { name: `policy there and back, 16 at once, ${values}`, perSecond, ...percentiles(many) },
      { name: `policy after a change, ${values}`, perSecond: 1000 / mean(changed), ...percentiles(changed) },
    ];
  } finally {
    await engine.close();
  }
}

/** How long each call took, in milliseconds. */
async function sample(
  seconds: number,
  once: () => Promise<void>,
  warmUp = WARM_UP,
): Promise<readonly number[]> {
  for (let count = 0; count < warmUp; count++) await once();
  const samples: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let before = performance.now(); before < end; ) {
    await once();
    const after = performance.now();
    samples.push(after - before);
    before = after;
  }
  return samples;
}
