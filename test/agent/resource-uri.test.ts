import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatResourceUri,
  isSameResource,
  parseResourceUri,
  ResourceUriError,
  resourceTarget,
  resourceUriOfPath,
} from '../../agent/resource-uri.ts';

describe('what upstream’s guests write', () => {
  test.each([
    ['kbs:///alice/cosign-key/213', 'resource', '', 'resource/alice/cosign-key/213'],
    [
      'kbs:///repo/type/tag?param1=value1&param2=value2',
      'resource',
      '',
      'resource/repo/type/tag?param1=value1&param2=value2',
    ],
    ['kbs+pkcs11:///repo/type/tag', 'pkcs11', '', 'pkcs11/repo/type/tag'],
    ['kbs+myplugin:///a/b/c', 'myplugin', '', 'myplugin/a/b/c'],
    ['kbs+custom://example.com:8080/repo/type/tag', 'custom', 'example.com:8080', 'custom/repo/type/tag'],
    ['kbs://[::1]:8080/one', 'resource', '[::1]:8080', 'resource/one'],
  ])('%s', (text, plugin, host, target) => {
    const uri = parseResourceUri(text);
    expect(uri).toMatchObject({ plugin, host });
    expect(resourceTarget(uri)).toBe(target);
    expect(formatResourceUri(uri)).toBe(text);
  });

  test('the default plugin may be named, and is then not written', () => {
    const named = parseResourceUri('kbs+resource:///a/b/c');
    expect(formatResourceUri(named)).toBe('kbs:///a/b/c');
    expect(isSameResource(named, parseResourceUri('KBS:///a/b/%63'))).toBe(true);
    expect(isSameResource(named, parseResourceUri('kbs://host/a/b/c'))).toBe(false);
  });

  test('a bare path with and without a leading slash is the same resource (K5)', () => {
    expect(resourceTarget(resourceUriOfPath('/a/b/c'))).toBe('resource/a/b/c');
    expect(resourceTarget(resourceUriOfPath('a/b/c', 'pkcs11'))).toBe('pkcs11/a/b/c');
  });
});

test.each([
  ['another scheme', 'http:///repo/type/tag', 'RESOURCE_URI_SCHEME'],
  ['a plugin without a name', 'kbs+:///repo/type/tag', 'RESOURCE_URI_PLUGIN_MISSING'],
  ['a plugin that is no name', 'kbs+a+b:///repo/type/tag', 'RESOURCE_URI_MALFORMED'],
  ['no URI', 'repo/type/tag', 'RESOURCE_URI_MALFORMED'],
  ['nothing', '', 'RESOURCE_URI_MALFORMED'],
  ['a user in front of the host', 'kbs://user@host/a/b/c', 'RESOURCE_URI_MALFORMED'],
  ['a fragment', 'kbs:///a/b/c#d', 'RESOURCE_URI_MALFORMED'],
  ['no path', 'kbs://host', 'RESOURCE_URI_PATH_REFUSED'],
  ['an empty segment', 'kbs:///a//c', 'RESOURCE_URI_PATH_REFUSED'],
  ['a slash at the end', 'kbs:///a/b/', 'RESOURCE_URI_PATH_REFUSED'],
  ['a second slash at the beginning', 'kbs:////a/b', 'RESOURCE_URI_PATH_REFUSED'],
  ['a way up', 'kbs:///a/../b', 'RESOURCE_URI_PATH_REFUSED'],
  ['a way nowhere', 'kbs:///a/./b', 'RESOURCE_URI_PATH_REFUSED'],
  ['an encoded way up', 'kbs:///a/%2e%2E/b', 'RESOURCE_URI_PATH_REFUSED'],
  ['an encoded slash', 'kbs:///a/b%2fc', 'RESOURCE_URI_PATH_REFUSED'],
  ['a slash that is encoded twice', 'kbs:///a/b%252fc', 'RESOURCE_URI_PATH_REFUSED'],
  ['a backslash', 'kbs:///a/..\\b', 'RESOURCE_URI_PATH_REFUSED'],
  ['an encoded control character', 'kbs:///a/b%00', 'RESOURCE_URI_PATH_REFUSED'],
  ['half a percent encoding', 'kbs:///a/b%4', 'RESOURCE_URI_MALFORMED'],
  ['a percent encoding that is not UTF-8', 'kbs:///a/%ff', 'RESOURCE_URI_MALFORMED'],
  ['half a character', 'kbs:///a/\ud800', 'RESOURCE_URI_MALFORMED'],
  ['a query parameter twice', 'kbs:///a/b?c=1&c=2', 'RESOURCE_URI_MALFORMED'],
  ['65 segments', `kbs:///${'a/'.repeat(64)}a`, 'RESOURCE_URI_MALFORMED'],
  ['a text that is far too long', `kbs:///${'a'.repeat(5000)}`, 'RESOURCE_URI_MALFORMED'],
])('refuses %s', (_what, text, code) => {
  expect(() => parseResourceUri(text)).toThrow(expect.objectContaining({ code }));
});

describe('properties', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 12 })
    .filter((text) => text !== '.' && text !== '..' && !/[\p{Cc}/\\%]/u.test(text) && text.isWellFormed());

  test('what is formatted is read as the same', () => {
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 8 }),
        fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 4 }),
        ([first = 'a', ...others], query) => {
          const uri = {
            plugin: 'resource',
            host: 'example.com',
            segments: [first, ...others] as [string, ...string[]],
            query,
          };
          expect(parseResourceUri(formatResourceUri(uri))).toEqual(uri);
        },
      ),
    );
  });

  test('whatever comes: a resource without a way out of its path, or an error of ours', () => {
    const part = fc.constantFrom(
      'kbs',
      '+',
      ':',
      '/',
      '.',
      '..',
      '%2f',
      '%2E',
      '%',
      '?',
      '=',
      '&',
      'a',
      '\\',
    );
    const near = fc.array(part, { maxLength: 16 }).map((parts) => `kbs:///${parts.join('')}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        try {
          const [path = ''] = resourceTarget(parseResourceUri(text)).split('?');
          const decoded = decodeURIComponent(path).split('/');
          expect(decoded.some((segment) => ['', '.', '..'].includes(segment))).toBe(false);
          expect(new URL(`http://host/kbs/v0/${path}`).pathname.split('/')).toHaveLength(decoded.length + 3);
        } catch (error) {
          expect(error).toBeInstanceOf(ResourceUriError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
