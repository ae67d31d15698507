import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseQuery, parseTarget } from '../../../server/kbs/request-target.ts';

describe('parseTarget', () => {
  it.each([
    ['/kbs/v0/resource/a/b/c', ['a', 'b', 'c']],
    ['/kbs/v0/resource//a/b/c', ['a', 'b', 'c']],
    ['/kbs/v0/resource/a%2Fb/c', ['a', 'b', 'c']],
    ['/kbs/v0/resource/a//b/c', ['a', '', 'b', 'c']],
    ['/kbs/v0/resource/a/b/c/', ['a', 'b', 'c', '']],
    ['/kbs/v0/resource/%252e/b/c', ['%2e', 'b', 'c']],
    ['/kbs/v0/resource/%2e%2e/b/c', ['..', 'b', 'c']],
    ['/kbs/v0/resource/a/b/c;x', ['a', 'b', 'c;x']],
    ['/kbs/v0/resource/a/b/c?x=/d', ['a', 'b', 'c']],
    ['/kbs/v0/resource', []],
  ])('reads %s as %j', (target, segments) => {
    expect(parseTarget(target)).toMatchObject({ plugin: 'resource', segments });
  });

  it('has one path for what it means', () => {
    expect(parseTarget('/kbs/v0/%72esource//a%2Fb/c?x').path).toBe('/kbs/v0/resource/a/b/c');
  });

  it.each([
    '/',
    '/kbs/v0',
    '/other/resource/a',
    '/kbs/v0/resource/%zz',
    '/kbs/v0/resource/%ff',
    '/kbs/v0/a%00',
    '/kbs/v0/a%0a',
    '/kbs/v0/a%C2%85',
  ])('refuses %s', (target) => {
    expect(() => parseTarget(target)).toThrow(
      expect.objectContaining({ code: 'REQUEST_PATH_MALFORMED' }) as Error,
    );
  });

  it('never fails otherwise than by refusing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseTarget(`/kbs/v0/${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

describe('parseQuery', () => {
  it.each([
    ['/x', {}],
    ['/x?', {}],
    ['/x?a=1&b=a+b%20c', { a: '1', b: 'a b c' }],
    ['/x?a', { a: '' }],
    ['/x?a=b=c?d', { a: 'b=c?d' }],
  ])('reads %s', (target, query) => {
    expect(parseQuery(target)).toEqual(query);
  });

  it('takes no name for a property of every object', () => {
    expect(Object.keys(parseQuery('/x?__proto__=1'))).toEqual(['__proto__']);
  });

  it.each([
    ['a parameter that comes twice', '/x?a=1&a=2'],
    ['one that comes twice in two spellings', '/x?a=1&%61=2'],
    ['too many', `/x?${Array.from({ length: 65 }, (_, index) => `p${index}=`).join('&')}`],
  ])('refuses %s', (_what, target) => {
    expect(() => parseQuery(target)).toThrow(expect.objectContaining({ code: 'QUERY_MALFORMED' }) as Error);
  });
});
