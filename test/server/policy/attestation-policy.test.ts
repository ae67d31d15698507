import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAttestationPolicy } from '../../../server/policy/attestation-policy.ts';
import type { CompileMode, CompilePolicy } from '../../../server/policy/compile.ts';
import { PolicyError } from '../../../server/policy/policy.ts';
import { createPolicyEngine, type PolicyEngine } from '../../../server/policy/policy-engine.ts';
import { activePolicy } from './active-policy.ts';
import { AT } from './evaluate-once.ts';
import { refusalOf } from './refusal.ts';
import { testCompiler } from './test-opa.ts';

let compile: CompilePolicy;
let engine: PolicyEngine;
beforeAll(async () => {
  compile = await testCompiler();
  engine = createPolicyEngine({
    lookUpReferenceValues: async () =>
      await Promise.resolve(new Map([['known', { value: ['a'], expiresAt: undefined }]])),
  });
});
afterAll(async () => {
  await engine.close();
});

async function evaluate(rules: string, mode: CompileMode = 'strict', input = {}) {
  const source = `package policy\n\n${rules}\n`;
  const policy = await activePolicy(compile, { kind: 'attestation', name: 'p_cpu', source, mode });
  const attestationPolicy = createAttestationPolicy(policy, engine);
  return await attestationPolicy('p_cpu', input, AT);
}

describe('an attestation policy', () => {
  it('gives the trust claims that it set, in the order of tokens', async () => {
    const verdict = await evaluate(
      'trust_claims := {"sourced-data": -128, "hardware": 2, "instance-identity": 127}',
    );
    expect(Object.entries(verdict.trustVector)).toEqual([
      ['instance-identity', 127],
      ['hardware', 2],
      ['sourced-data', -128],
    ]);
    expect(verdict.policy).toMatchObject({
      name: 'p_cpu',
      sha384: expect.stringMatching(/^[0-9a-f]{96}$/) as string,
    });
    expect(verdict.extensions).toEqual({});
  });

  it('says which reference values it asked for', async () => {
    const verdict = await evaluate(
      'trust_claims := {"hardware": 2} if { "a" in query_reference_value("known"); query_reference_value("unknown") == null; query_reference_value("__proto__") == null }',
    );
    expect(Object.entries(verdict.referenceValuesAsked).sort()).toEqual([
      ['__proto__', 'absent'],
      ['known', 'present'],
      ['unknown', 'absent'],
    ]);
  });

  it('without trust_claims claims nothing: eight zeros', async () => {
    const verdict = await evaluate('allow := true', 'upstream');
    expect(Object.values(verdict.trustVector)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(verdict.extensions).toEqual({});
  });

  it('gives its extensions by name, null ones left out', async () => {
    const verdict = await evaluate(`trust_claims := {"hardware": 2}

extensions := [
  {"name": "ear.trustee.identifiers", "key": -18, "value": {"validated": {}}},
  {"name": "nothing", "key": 1, "value": null},
  {"name": "no", "key": 2, "value": false},
]`);
    expect(verdict.extensions).toEqual({ 'ear.trustee.identifiers': { validated: {} }, no: false });
  });

  it.each([
    ['undefined', 'trust_claims := {"hardware": 2} if input.absent'],
    ['no claim', 'trust_claims := {}'],
    ['null', 'trust_claims := null'],
    ['a list', 'trust_claims := [2]'],
    ['a claim that AR4SI does not know', 'trust_claims := {"hardware": 2, "hardwear": 2}'],
    ['a fraction', 'trust_claims := {"hardware": 2.5}'],
    ['a text', 'trust_claims := {"hardware": "2"}'],
    ['a boolean', 'trust_claims := {"hardware": true}'],
    ['null for a claim', 'trust_claims := {"hardware": null}'],
    ['258, which a byte takes for 2', 'trust_claims := {"hardware": 258}'],
    ['128', 'trust_claims := {"hardware": 128}'],
    ['-129', 'trust_claims := {"hardware": -129}'],
    ['a huge number', 'trust_claims := {"hardware": 1e100}'],
  ])('whose trust_claims are %s is refused', async (_what, rules) => {
    const refusal = await refusalOf(evaluate(rules));
    expect(refusal.code).toBe('POLICY_RESULT_INVALID');
    expect(refusal.message).toContain("'p_cpu'");
  });

  it.each([
    ['undefined', 'extensions := [] if input.absent'],
    ['an object', 'extensions := {}'],
    ['an extension without a name', 'extensions := [{"key": 1, "value": 1}]'],
    ['an extension with an empty name', 'extensions := [{"name": "", "key": 1, "value": 1}]'],
    ['an extension without a key', 'extensions := [{"name": "a", "value": 1}]'],
    ['an extension without a value', 'extensions := [{"name": "a", "key": 1}]'],
    ['a key that is no 32-bit integer', 'extensions := [{"name": "a", "key": 2147483648, "value": 1}]'],
    ['a further member', 'extensions := [{"name": "a", "key": 1, "value": 1, "x": 1}]'],
    [
      'a name twice',
      'extensions := [{"name": "a", "key": 1, "value": 1}, {"name": "a", "key": 2, "value": 1}]',
    ],
    [
      'a key twice',
      'extensions := [{"name": "a", "key": 1, "value": 1}, {"name": "b", "key": 1, "value": 1}]',
    ],
  ])('whose extensions are %s is refused', async (_what, rules) => {
    const refusal = await refusalOf(evaluate(`trust_claims := {"hardware": 2}\n\n${rules}`));
    expect(refusal.code).toBe('POLICY_RESULT_INVALID');
  });

  it('that is missing is an error', async () => {
    const none = { active: async () => await Promise.reject(new PolicyError('POLICY_NOT_FOUND', 'none')) };
    const attestationPolicy = createAttestationPolicy(none, engine);
    await expect(attestationPolicy('p_cpu', {}, AT)).rejects.toMatchObject({ code: 'POLICY_NOT_FOUND' });
  });
});
