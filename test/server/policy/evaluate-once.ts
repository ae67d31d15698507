import type { Json, JsonObject } from '../../../server/claims/claims.ts';
import type { EvaluationOutcome } from '../../../server/policy/evaluation.ts';
import { createPolicyEvaluator } from '../../../server/policy/policy-evaluator.ts';

export const LIMITS = {
  memoryPages: 256,
  keptValues: 100,
  keptValueCharacters: 100_000,
  resultCharacters: 100_000,
};

export const AT = new Date('2026-11-23T12:00:00Z');

interface Circumstances {
  readonly values?: Readonly<Record<string, Json>>;
  readonly data?: JsonObject;
  readonly at?: Date;
}

/** What a compiled policy answers, without threads; reference values that are not given are known to be absent. */
export async function evaluateOnce(
  module: Uint8Array,
  input: JsonObject,
  { values = {}, data = {}, at = AT }: Circumstances = {},
): Promise<unknown> {
  const evaluator = createPolicyEvaluator(LIMITS);
  evaluator.load('m', module);
  const question = {
    id: 1,
    module: 'm',
    input: JSON.stringify(input),
    data: JSON.stringify(data),
    at: at.getTime(),
  };
  const known = new Map(Object.entries(values));
  const told = (name: string) => ({
    name,
    json: known.has(name) ? JSON.stringify(known.get(name)) : undefined,
    expiresAt: undefined,
  });
  let names: readonly string[] = [];
  let outcome: EvaluationOutcome;
  do {
    outcome = await evaluator.evaluate({ ...question, values: names.map(told) });
    if (outcome.kind === 'needs') names = [...names, ...outcome.names];
  } while (outcome.kind === 'needs');
  if (outcome.kind === 'failed') throw new Error(outcome.why);
  return JSON.parse(outcome.result);
}
