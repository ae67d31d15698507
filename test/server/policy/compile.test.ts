import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CompileMode, CompilePolicy } from '../../../server/policy/compile.ts';
import type { PolicyKind } from '../../../server/policy/policy.ts';
import { evaluateOnce } from './evaluate-once.ts';
import { refusalOf } from './refusal.ts';
import { testCompiler } from './test-opa.ts';

const MINIMAL = 'package policy\n\ntrust_claims := {"hardware": 2}\n';

let compiler: CompilePolicy;
beforeAll(async () => {
  compiler = await testCompiler();
});

async function compile(source: string, mode: CompileMode = 'strict', kind: PolicyKind = 'attestation') {
  return await compiler({ kind, name: 'p', source, mode });
}

describe('compiling a policy', () => {
  it('makes one module of the rules that the policy defines', async () => {
    const compiled = await compile(`${MINIMAL}\nextensions := []\n\nother := 1\n`);
    expect(compiled).toMatchObject({ rules: ['trust_claims', 'extensions'], warnings: [] });
    expect(compiled.compiler).toMatch(/^opa 1\.\d+\.\d+$/);
    expect(await evaluateOnce(compiled.module, {})).toEqual({
      trust_claims: { hardware: 2 },
      extensions: [],
    });
  });

  it('names the source by its SHA-384', async () => {
    const { sourceSha384 } = await compile(MINIMAL);
    expect(sourceSha384).toBe(createHash('sha384').update(MINIMAL).digest('hex'));
  });

  it('makes the same module of the same source', async () => {
    const [one, other] = await Promise.all([compile(MINIMAL), compile(MINIMAL)]);
    expect(one.module).toEqual(other.module);
  });

  it('keeps a rule that is undefined for an input apart from one that does not exist', async () => {
    const compiled = await compile('package policy\n\ntrust_claims := {"hardware": 2} if input.good\n');
    expect(compiled.rules).toEqual(['trust_claims']);
    expect(await evaluateOnce(compiled.module, { good: false })).toEqual({});
  });

  it.each([
    ['a rule in parts', 'trust_claims["hardware"] := 2', { trust_claims: { hardware: 2 } }],
    ['a rule with a reference for a head', 'trust_claims.hardware := 2', { trust_claims: { hardware: 2 } }],
    ['a rule with a default', 'default trust_claims := {}', { trust_claims: {} }],
    ['a set', 'trust_claims contains "hardware"', { trust_claims: ['hardware'] }],
  ])('knows %s for a rule', async (_what, rule, expected) => {
    const { module, rules } = await compile(`package policy\n\n${rule}\n`);
    expect(rules).toEqual(['trust_claims']);
    expect(await evaluateOnce(module, {})).toEqual(expected);
  });

  it('takes import rego.v1, print, sprintf, template strings and keywords that older policies import', async () => {
    const source = `package policy

import rego.v1
import future.keywords.in

trust_claims := {"hardware": 2} if {
  print("not printed", input)
  some x in [1, 2]
  sprintf("%d", [x]) == "2"
  $"{x}" == "2"
}
`;
    const { module, warnings } = await compile(source, 'upstream');
    expect(warnings).toEqual([]);
    expect(await evaluateOnce(module, {})).toEqual({ trust_claims: { hardware: 2 } });
  });
});

describe('a policy that is refused', () => {
  it.each([
    ['text that is not Rego', 'package policy\n\nallow if {', 'POLICY_DOES_NOT_COMPILE', /line 3/],
    ['nothing', '', 'POLICY_DOES_NOT_COMPILE', /empty/],
    [
      'a function that does not exist',
      `${MINIMAL}\nx := nope(1)\n`,
      'POLICY_DOES_NOT_COMPILE',
      /line 5: undefined function nope/,
    ],
    [
      'network access',
      `${MINIMAL}\nx := http.send({"method": "get"})\n`,
      'POLICY_DOES_NOT_COMPILE',
      /undefined function http\.send/,
    ],
    [
      'the environment',
      `${MINIMAL}\nx := opa.runtime()\n`,
      'POLICY_DOES_NOT_COMPILE',
      /undefined function opa\.runtime/,
    ],
    [
      'randomness',
      `${MINIMAL}\nx := rand.intn("x", 5)\n`,
      'POLICY_DOES_NOT_COMPILE',
      /undefined function rand\.intn/,
    ],
    [
      'a name that resolves to addresses',
      `${MINIMAL}\nx := net.lookup_ip_addr("a")\n`,
      'POLICY_DOES_NOT_COMPILE',
      /net\.lookup_ip_addr/,
    ],
    [
      'a time zone',
      `${MINIMAL}\nx := time.date([0, "Europe/Berlin"])\n`,
      'POLICY_DOES_NOT_COMPILE',
      /time\.date/,
    ],
    ['a type error', `${MINIMAL}\nx := 1 + "a"\n`, 'POLICY_DOES_NOT_COMPILE', /line 5/],
    ['recursion', `${MINIMAL}\nx := y\n\ny := x\n`, 'POLICY_DOES_NOT_COMPILE', /recursive/],
    [
      'a package name of ours',
      'package verigo\n\nverdict := {"trust_claims": {}}\n',
      'POLICY_DOES_NOT_COMPILE',
      /taken/,
    ],
    [
      'a rule that reads our entrypoint',
      'package policy\n\ntrust_claims := data.verigo.verdict\n',
      'POLICY_DOES_NOT_COMPILE',
      /./,
    ],
    ['two modules in one', `${MINIMAL}\npackage policy\n`, 'POLICY_DOES_NOT_COMPILE', /line/],
  ])('%s, in either mode', async (_what, source, code, message) => {
    for (const mode of ['strict', 'upstream'] as const) {
      const refusal = await refusalOf(compile(source, mode));
      expect(refusal.code).toBe(code);
      expect(refusal.message).toMatch(message);
    }
  });

  it.each([
    ['another package', 'package other\n\ntrust_claims := {}\n', 'POLICY_LACKS_CONTRACT'],
    ['a package below', 'package policy.trust_claims\n\nhardware := 2\n', 'POLICY_LACKS_CONTRACT'],
    ['no rule trust_claims', 'package policy\n\nallow := true\n', 'POLICY_LACKS_CONTRACT'],
    [
      'a function trust_claims',
      'package policy\n\ntrust_claims(x) := {"hardware": x}\n',
      'POLICY_LACKS_CONTRACT',
    ],
    [
      'an import that is not used',
      'package policy\n\nimport data.x\n\ntrust_claims := {}\n',
      'POLICY_DOES_NOT_COMPILE',
    ],
    [
      'a variable that is not used',
      'package policy\n\ntrust_claims := {} if x := 1\n',
      'POLICY_DOES_NOT_COMPILE',
    ],
    [
      'a reference value by a computed name',
      'package policy\n\ntrust_claims := {"hardware": 2} if data.reference[input.x]\n',
      'POLICY_LACKS_CONTRACT',
    ],
  ])('%s strictly, and with a warning as upstream', async (_what, source, code) => {
    await expect(compile(source)).rejects.toMatchObject({ code });
    const { warnings } = await compile(source, 'upstream');
    expect(warnings).toHaveLength(1);
  });

  it('without the contract answers nothing', async () => {
    const { module, rules } = await compile('package policy\n\nallow := true\n', 'upstream');
    expect(rules).toEqual([]);
    expect(await evaluateOnce(module, {})).toEqual({});
  });

  it('a resource policy without allow, strictly', async () => {
    const source = 'package policy\n\ndefault deny := false\n';
    await expect(compile(source, 'strict', 'resource')).rejects.toMatchObject({
      code: 'POLICY_LACKS_CONTRACT',
    });
    expect((await compile(source, 'upstream', 'resource')).rules).toEqual([]);
  });

  it('a resource policy that asks for reference values', async () => {
    const source = 'package policy\n\nallow if query_reference_value("x") == 1\n';
    await expect(compile(source, 'strict', 'resource')).rejects.toMatchObject({
      code: 'POLICY_DOES_NOT_COMPILE',
    });
  });

  it('one that is too large', async () => {
    const source = `${MINIMAL}#${'x'.repeat(256 * 1024)}`;
    await expect(compile(source)).rejects.toMatchObject({ code: 'POLICY_TOO_LARGE' });
  });

  it('one whose nesting keeps the compiler busy', async () => {
    const source = `package policy\n\ntrust_claims := ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`;
    const refusal = await refusalOf(compile(source));
    expect(refusal.code).toBe('POLICY_DOES_NOT_COMPILE');
    expect(refusal.message).toContain('limits of 10 seconds');
  }, 30_000);

  it('says nothing of the folder that it was compiled in, and leaves none behind', async () => {
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('verigo-policy-'));
    const { message } = await refusalOf(compile('package policy\n\nallow if {'));
    expect(message).not.toContain(tmpdir());
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith('verigo-policy-'));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });
});
