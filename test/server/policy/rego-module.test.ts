import { beforeAll, describe, expect, it } from 'vitest';
import type { CompilePolicy } from '../../../server/policy/compile.ts';
import { evaluateOnce } from './evaluate-once.ts';
import { testCompiler } from './test-opa.ts';

let compiler: CompilePolicy;
beforeAll(async () => {
  compiler = await testCompiler();
});

async function compile(source: string) {
  return await compiler({ kind: 'attestation', name: 'p', source, mode: 'strict' });
}

describe('data.reference, of older policies', () => {
  it.each([
    ['by a name', 'input.svn in data.reference.device_svn'],
    ['by a text', 'input.svn in data.reference["device_svn"]'],
    ['by a text before', 'input.svn in data["reference"].device_svn'],
  ])('is filled where it is read %s', async (_how, condition) => {
    const { module } = await compile(`package policy\n\ntrust_claims := {"hardware": 2} if ${condition}\n`);
    const values = { device_svn: ['2'] };
    expect(await evaluateOnce(module, { svn: '2' }, { values })).toEqual({ trust_claims: { hardware: 2 } });
    expect(await evaluateOnce(module, { svn: '3' }, { values })).toEqual({});
    expect(await evaluateOnce(module, { svn: '2' })).toEqual({});
  });

  it.each([
    ['an import', 'import data.reference', 'reference.a == 1; reference.b == 2'],
    ['an import with another name', 'import data.reference as known', 'known.a == 1; known["b"] == 2'],
    ['imports of single values', 'import data.reference.a\nimport data.reference.b as c', 'a == 1; c == 2'],
  ])('is filled where it is read through %s', async (_how, imports, condition) => {
    const source = `package policy\n\n${imports}\n\ntrust_claims := {"hardware": 2} if { ${condition} }\n`;
    const { module } = await compile(source);
    const values = { a: 1, b: 2 };
    expect(await evaluateOnce(module, {}, { values })).toEqual({ trust_claims: { hardware: 2 } });
  });

  it('is computed when it is read as a whole', async () => {
    const source =
      'package policy\n\nimport data.reference\n\ntrust_claims := {"hardware": 2} if { x := reference; x.a == 1 }\n';
    await expect(compile(source)).rejects.toMatchObject({ code: 'POLICY_LACKS_CONTRACT' });
  });
});
