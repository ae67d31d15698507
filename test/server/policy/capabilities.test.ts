import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { HOST_BUILTIN_NAMES } from '../../../server/policy/builtins/host-builtins.ts';
import {
  type Capabilities,
  NATIVE_BUILTINS,
  readCapabilities,
  selectCapabilities,
} from '../../../server/policy/capabilities.ts';
import { loadWasmPolicy } from '../../../server/policy/wasm-policy.ts';
import { CAPABILITIES, findTestOpa, testCompiler } from './test-opa.ts';

let ofOpa: unknown;
let ours: Capabilities;
beforeAll(async () => {
  const { path } = await findTestOpa();
  const { stdout } = await promisify(execFile)(path, ['capabilities', '--current']);
  ofOpa = JSON.parse(stdout);
  ours = await readCapabilities(CAPABILITIES);
});

describe('policies/capabilities.json', () => {
  it('is what test/policies/write-capabilities.ts writes', () => {
    expect(ours).toEqual(selectCapabilities(ofOpa));
  });

  it('has every built-in that we carry out, and nothing that nobody does', () => {
    const names = new Set(ours.builtins.map(({ name }) => name));
    for (const name of HOST_BUILTIN_NAMES) expect(names).toContain(name);
    for (const name of NATIVE_BUILTINS) expect(names).toContain(name);
    const others = [...names].filter((name) => !HOST_BUILTIN_NAMES.has(name) && !NATIVE_BUILTINS.has(name));
    expect(others.sort()).toEqual(['internal.print', 'print', 'query_reference_value', 'sprintf']);
  });

  it.each([
    'http.send',
    'opa.runtime',
    'net.lookup_ip_addr',
    'rand.intn',
    'uuid.rfc4122',
    'trace',
    'regex.split',
    'yaml.unmarshal',
  ])('does not have %s', (name) => {
    expect(ours.builtins.map((builtin) => builtin.name)).not.toContain(name);
  });

  it('has only native built-ins that compile into the module, so that nothing is called for that is not there', async () => {
    const infix = new Set(
      ours.builtins.filter((builtin) => builtin['infix'] !== undefined).map(({ name }) => name),
    );
    const callable = ours.builtins.filter(
      ({ name }) =>
        NATIVE_BUILTINS.has(name) && !infix.has(name) && !name.startsWith('internal.') && name !== 'walk',
    );
    const calls = callable.map(({ name, decl }) => {
      const args = (decl['args'] as unknown[]).map((_, index) => `input.x${index}`);
      return `trust_claims["${name}"] := ${name}(${args.join(', ')})`;
    });
    const compile = await testCompiler();
    const source = `package policy\n\n${calls.join('\n\n')}\n`;
    const { module } = await compile({ kind: 'attestation', name: 'p', source, mode: 'strict' });
    // None of them is given. With an input for which every call is made, none may be missing.
    const policy = await loadWasmPolicy(module, {}, { memoryPages: 64 });
    const inputs = ['"a"', '1', '["a"]', '{"a":1}', 'null'];
    for (const input of inputs) {
      const all = [0, 1, 2].map((index) => `"x${index}":${input}`);
      expect(policy.evaluate('verigo/verdict', `{${all.join(',')}}`)).toHaveProperty('trust_claims');
    }
  });
});
