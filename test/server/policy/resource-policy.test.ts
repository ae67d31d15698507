import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompilePolicy } from '../../../server/policy/compile.ts';
import { PolicyError } from '../../../server/policy/policy.ts';
import { createPolicyEngine, type PolicyEngine } from '../../../server/policy/policy-engine.ts';
import {
  createResourcePolicy,
  RESOURCE_POLICY,
  type ResourceRequest,
} from '../../../server/policy/resource-policy.ts';
import { activePolicy } from './active-policy.ts';
import { AT } from './evaluate-once.ts';
import { testCompiler } from './test-opa.ts';

let compile: CompilePolicy;
let engine: PolicyEngine;
beforeAll(async () => {
  compile = await testCompiler();
  engine = createPolicyEngine({ lookUpReferenceValues: async () => await Promise.resolve(new Map()) });
});
afterAll(async () => {
  await engine.close();
});

const REQUEST: ResourceRequest = { plugin: 'resource', path: ['repo', 'type', 'tag'], query: {} };

async function evaluate(rules: string, claims = {}, request = REQUEST) {
  const source = `package policy\n\n${rules}\n`;
  const policy = await activePolicy(compile, {
    kind: 'resource',
    name: RESOURCE_POLICY,
    source,
    mode: 'upstream',
  });
  const { policy: ref, allowed } = await createResourcePolicy(policy, engine)(claims, request, AT);
  expect(ref.name).toBe('resource-policy');
  return allowed;
}

describe('a resource policy', () => {
  it('sees the claims, the plugin, the path and the query', async () => {
    const rules = `allow if {
  input.submods.cpu0["ear.status"] == "affirming"
  data.plugin == "resource"
  data["resource-path"] == ["repo", "type", "tag"]
  data.query == {"version": "1"}
}`;
    const claims = { submods: { cpu0: { 'ear.status': 'affirming' } } };
    const request = { ...REQUEST, query: { version: '1' } };
    expect(await evaluate(rules, claims, request)).toBe(true);
    expect(await evaluate(rules, {}, request)).toBe(false);
    expect(await evaluate(rules, claims, { ...request, plugin: 'pkcs11' })).toBe(false);
    expect(await evaluate(rules, claims, { ...request, path: ['repo', 'type', 'tag', ''] })).toBe(false);
    expect(await evaluate(rules, claims, { ...request, query: {} })).toBe(false);
  });

  it.each([
    ['true', true],
    ['false', false],
    ['"true"', false],
    ['1', false],
    ['null', false],
    ['{"allow": true}', false],
    ['{true}', false],
    ['[true]', false],
  ])('that says %s', async (value, allowed) => {
    expect(await evaluate(`allow := ${value}`)).toBe(allowed);
  });

  it('that has no rule allow, or an undefined one, denies', async () => {
    expect(await evaluate('default deny := false')).toBe(false);
    expect(await evaluate('allow if input.absent')).toBe(false);
    expect(await evaluate('allow(x) := x == 1')).toBe(false);
  });

  it('that contradicts itself is an error', async () => {
    await expect(
      evaluate('allow := true if input.a\n\nallow := false if input.b', { a: 1, b: 1 }),
    ).rejects.toMatchObject({
      code: 'POLICY_EVALUATION_FAILED',
    });
  });

  it('that is missing is an error', async () => {
    const none = { active: async () => await Promise.reject(new PolicyError('POLICY_NOT_FOUND', 'none')) };
    const resourcePolicy = createResourcePolicy(none, engine);
    await expect(resourcePolicy({}, REQUEST, AT)).rejects.toMatchObject({ code: 'POLICY_NOT_FOUND' });
  });
});
