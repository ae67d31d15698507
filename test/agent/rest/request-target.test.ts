import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTarget, readParameters, required } from '../../../agent/rest/request-target.ts';
import { RestError } from '../../../agent/rest/rest-error.ts';

test.each([
  ['/a', { path: '/a', query: '' }],
  ['/a?', { path: '/a', query: '' }],
  ['/a?b=c?d', { path: '/a', query: 'b=c?d' }],
  ['/a/../%2e', { path: '/a/../%2e', query: '' }],
])('a path and a query, as they came: %s', (target, expected) => {
  expect(parseTarget(target)).toEqual(expected);
});

test.each(['', '*', 'a', 'http://localhost/a', 'localhost:80', '/a#b'])('no target: %s', (target) => {
  expect(() => parseTarget(target)).toThrow(expect.objectContaining({ code: 'TARGET_MALFORMED' }));
});

test('parameters that are known, each once', () => {
  expect(readParameters('a=1&b=x+y%20z', ['a', 'b', 'c'])).toEqual({ a: '1', b: 'x y z' });
});

test.each(['a=1&a=1', 'd=1', '__proto__=1', 'a=1&'.repeat(2)])('others: %s', (query) => {
  expect(() => readParameters(query, ['a', 'b'])).toThrow(
    expect.objectContaining({ code: 'PARAMETER_MALFORMED' }),
  );
});

test.each([undefined, ''])('a parameter that has to be there: %s', (value) => {
  expect(() => required(value, 'a')).toThrow(expect.objectContaining({ code: 'PARAMETER_MALFORMED' }));
});

test('no target makes a reader throw anything but its own errors', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.string().map((text) => `/a?a=${text}`),
      ),
      (target) => {
        try {
          readParameters(parseTarget(target).query, ['a']);
        } catch (error) {
          expect(error).toBeInstanceOf(RestError);
        }
      },
    ),
  );
});
