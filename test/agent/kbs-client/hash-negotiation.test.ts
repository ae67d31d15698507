import { expect, test } from 'vitest';
import { BINDING_HASHES } from '../../../agent/binding/binding-hash.ts';
import { negotiatedHash } from '../../../agent/kbs-client/hash-negotiation.ts';

const chosen = (value: unknown): object => ({ 'selected-hash-algorithm': value });

test.each([
  ['nothing', undefined, 'sha384'],
  ['the empty text that brokers send', '', 'sha384'],
  ['another text', 'sha512', 'sha384'],
  ['an empty object', {}, 'sha384'],
  ['a list', ['selected-hash-algorithm'], 'sha384'],
  ['SHA-256', chosen('sha256'), 'sha256'],
  ['SHA-384', chosen('sha384'), 'sha384'],
  ['SHA-512', chosen('sha512'), 'sha512'],
  ['SM3 (K11)', chosen('sm3'), 'sm3'],
  ['SHA-512 in capitals', chosen('SHA512'), 'sha512'],
])('%s', (_what, extraParams, hash) => {
  expect(negotiatedHash(extraParams, BINDING_HASHES)).toBe(hash);
});

test.each([
  ['an unknown name', chosen('md5')],
  ['an empty name', chosen('')],
  ['a name with a dash', chosen('sha-384')],
  ['a list', chosen(['sha384'])],
  ['an object', chosen({})],
  ['a number', chosen(384)],
  ['a truth value', chosen(true)],
  ['null', chosen(null)],
])('%s is refused', (_what, extraParams) => {
  expect(() => negotiatedHash(extraParams, BINDING_HASHES)).toThrow(
    expect.objectContaining({ code: 'HASH_ALGORITHM_UNSUPPORTED' }),
  );
});

test('what was not offered is refused', () => {
  expect(() => negotiatedHash(chosen('sm3'), ['sha256', 'sha384'])).toThrow(
    expect.objectContaining({ code: 'HASH_ALGORITHM_UNSUPPORTED' }),
  );
});
