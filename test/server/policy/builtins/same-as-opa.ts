import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { createPolicyEvaluator } from '../../../../server/policy/policy-evaluator.ts';
import { findTestOpa, testCompiler } from '../test-opa.ts';

/*
 * Every built-in that we carry out ourselves says what OPA itself says. The expressions of a table become one policy,
 * which OPA evaluates (`opa eval`) and which is compiled and evaluated as policies are here.
 */

const AT = new Date('2026-11-23T12:34:56.789Z');

/** One trust claim an expression. */
export function policyOf(expressions: readonly string[]): string {
  return `package policy\n\n${expressions
    .map(
      (expression, index) =>
        `trust_claims["${String(index).padStart(3, '0')} ${label(expression)}"] := ${expression}`,
    )
    .join('\n\n')}\n`;
}

function label(expression: string): string {
  return expression.replaceAll(/[\\"{}]/g, "'").slice(0, 80);
}

async function byOpa(source: string): Promise<unknown> {
  const opa = await findTestOpa();
  const folder = await mkdtemp(join(tmpdir(), 'verigo-test-'));
  try {
    await writeFile(join(folder, 'policy.rego'), source);
    const args = [
      'eval',
      '--format',
      'json',
      '--data',
      join(folder, 'policy.rego'),
      'data.policy.trust_claims',
    ];
    const { stdout } = await promisify(execFile)(opa.path, args);
    return (JSON.parse(stdout) as { result: [{ expressions: [{ value: unknown }] }] }).result[0]
      .expressions[0].value;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What the policy says of its trust claims, by us. */
export async function byUs(source: string): Promise<unknown> {
  const compile = await testCompiler();
  const { module } = await compile({ kind: 'attestation', name: 'p', source, mode: 'strict' });
  const evaluator = createPolicyEvaluator({
    memoryPages: 256,
    keptValues: 10,
    keptValueCharacters: 1000,
    resultCharacters: 1_000_000,
  });
  evaluator.load('m', module);
  const question = { id: 1, module: 'm', input: '{}', data: '{}', at: AT.getTime(), values: [] };
  const outcome = await evaluator.evaluate(question);
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome));
  return (JSON.parse(outcome.result) as { trust_claims: unknown }).trust_claims;
}

/** Each expression yields the same by both, or is undefined by both. */
export async function expectSame(expressions: readonly string[]): Promise<void> {
  const source = policyOf(expressions);
  const [ours, opas] = await Promise.all([byUs(source), byOpa(source)]);
  expect(ours).toEqual(opas);
}
