import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AgentTokenError, parseTokenType } from '../../../../agent/attestation-agent/tokens/token-type.ts';

const EXCEPT = 'a'.repeat(43);

test.each([
  ['kbs', 'bound', { kind: 'resource-server', host: '' }],
  ['kbs:Vault.example:8200', 'bound', { kind: 'resource-server', host: 'vault.example:8200' }],
  ['kbs:[::1]:80', 'bound', { kind: 'resource-server', host: '[::1]:80' }],
  ['coco_as', 'bare', { kind: 'attestation-service', name: 'default' }],
  ['coco_as:Internal', 'bare', { kind: 'attestation-service', name: 'Internal' }],
  ['coco_as_bound', 'bound', { kind: 'attestation-service', name: 'default' }],
  ['coco_as_bound:internal', 'bound', { kind: 'attestation-service', name: 'internal' }],
])('%s', (text, form, source) => {
  expect(parseTokenType(text)).toEqual({ form, source, except: undefined });
  expect(parseTokenType(`${text};not=${EXCEPT}`)).toEqual({ form, source, except: EXCEPT });
});

test.each(['', 'KBS', 'coco', 'kbs:', 'kbs:a b', 'kbs;not=', 'kbs;not=short', 'coco_as_bound::;', 'kbs\n'])(
  '%j is refused',
  (text) => {
    expect(() => parseTokenType(text)).toThrow(expect.objectContaining({ code: 'TOKEN_TYPE_UNKNOWN' }));
  },
);

test('whatever comes: a type, or an error of ours', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(() => parseTokenType(text)).toThrow(AgentTokenError);
    }),
  );
});
