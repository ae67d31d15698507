import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResourcePath } from '../../../server/resources/resource-path.ts';

describe('parseResourcePath', () => {
  it.each(['default/1/2', 'repo/type/tag', '123--_default/1Abff-_/___-afds44BC', '1.ok/2ok./3...'])(
    'takes %s',
    (path) => {
      expect(parseResourcePath(path.split('/'))).toBe(path);
    },
  );

  it.each([
    '/1/2',
    '/repo/type/tag',
    '1/2',
    '1/2/3/4',
    '.1.ok/2ok./3...',
    '1.ok/.2ok./3...',
    '1.ok/2ok./.3...',
    '',
    'a//b',
    'a/b/',
    '../b/c',
    'a/../c',
    './b/c',
    'a/b/c d',
    'a/b/c%20',
    'a/b/c:1',
    'a/b/c;x',
    'a/b/c\0',
    'a/b/c\n',
    'a/b/é',
    'a/b/е',
    `a/b/${'c'.repeat(257)}`,
  ])('refuses "%s"', (path) => {
    expect(() => parseResourcePath(path.split('/'))).toThrow(
      expect.objectContaining({ code: 'RESOURCE_PATH_INVALID' }) as Error,
    );
  });

  it('never takes a name that has a slash', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(() => parseResourcePath([`${left}/${right}`, 'b', 'c'])).toThrow();
      }),
    );
  });
});
