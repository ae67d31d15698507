import { describe, expect, it } from 'vitest';
import { compileAcl } from '../../../server/admin/acl.ts';

describe('compileAcl', () => {
  it.each([
    ['^/kbs/.+$', '/kbs/v0/resource/a/b/c', true],
    ['^/kbs/.+$', '/kbs/', false],
    ['^/kbs/v0/reference-value/[a-zA-Z0-9]+$', '/kbs/v0/reference-value/svn', true],
    ['^/kbs/v0/reference-value/[a-zA-Z0-9]+$', '/kbs/v0/reference-value/svn/more', false],
    ['^/kbs/v0/reference-value/[a-zA-Z0-9]+$', '/x/kbs/v0/reference-value/svn', false],
    ['^/kbs/v0/.+/public$', '/kbs/v0/resource-policy?x=/public', true], // which is why no query is ever matched
    ['^/(a|b)$', '/b', true],
    ['^/(a|b)$', '/c', false],
    ['^/[|]$', '/|', true],
    ['^/a\\|b$', '/a|b', true],
    ['^/a$', '/a\n', false],
    ['^/.*$', '/a\nb', false],
  ])('matches %s with %j: %s', (allowedEndpoints, path, isAllowed) => {
    const role = compileAcl([{ role: 'admin', allowedEndpoints }])(['admin'], path);
    expect(role).toBe(isAllowed ? 'admin' : undefined);
  });

  it('finds the role that may, among several', () => {
    const allowedRole = compileAcl([
      { role: 'reader', allowedEndpoints: '^/read$' },
      { role: 'writer', allowedEndpoints: '^/(read|write)$' },
    ]);
    expect(allowedRole(['writer'], '/read')).toBe('writer');
    expect(allowedRole(['reader', 'writer'], '/write')).toBe('writer');
    expect(allowedRole(['reader'], '/write')).toBeUndefined();
    expect(allowedRole([], '/read')).toBeUndefined();
    expect(compileAcl([])(['reader'], '/read')).toBeUndefined();
  });

  it.each([
    'x',
    '/kbs/.*',
    '^/kbs/.*',
    '/kbs/.*$',
    '^kbs$',
    '^/kbs/\\$',
    '^/a|.*$',
    '^/a(b|c)|/d$',
    '^/(a$',
    '^/[a$',
    '^/(?=a)$',
    '^/(a)\\1$',
    `^/${'a'.repeat(1100)}$`,
  ])('refuses %s', (allowedEndpoints) => {
    expect(() => compileAcl([{ role: 'admin', allowedEndpoints }])).toThrow(
      expect.objectContaining({ code: 'ADMIN_ACL_INVALID' }) as Error,
    );
  });

  it('matches in linear time', () => {
    const allowedRole = compileAcl([{ role: 'admin', allowedEndpoints: '^/(a+)+$' }]);
    const started = performance.now();
    expect(allowedRole(['admin'], `/${'a'.repeat(5000)}b`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
