import { describe, expect, it } from 'vitest';
import { readSessionCookie, writeSessionCookie } from '../../../server/kbs/session-cookie.ts';

const expiresAt = new Date('2026-11-24T10:05:00Z');

describe('writeSessionCookie', () => {
  it('keeps the cookie to this key broker', () => {
    expect(writeSessionCookie({ kind: 'handshake', value: 'abc' }, expiresAt, { isSecure: false })).toBe(
      'kbs-session-id=h.abc; Expires=Tue, 24 Nov 2026 10:05:00 GMT; Path=/kbs/v0; HttpOnly; SameSite=Strict',
    );
  });

  it('demands TLS where there is TLS', () => {
    expect(writeSessionCookie({ kind: 'session', value: 'abc' }, expiresAt, { isSecure: true })).toMatch(
      /^kbs-session-id=s\.abc; .*; Secure$/,
    );
  });
});

describe('readSessionCookie', () => {
  it.each([
    ['alone', 'kbs-session-id=h.abc'],
    ['among others', 'a=b; kbs-session-id=h.abc; c=d'],
    ['without blanks', 'a=b;kbs-session-id=h.abc'],
  ])('reads a handshake %s', (_what, header) => {
    expect(readSessionCookie(header)).toEqual({ kind: 'handshake', value: 'abc' });
  });

  it('tells a session from a handshake', () => {
    expect(readSessionCookie('kbs-session-id=s.abc')?.kind).toBe('session');
  });

  it.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['other cookies', 'a=b; xkbs-session-id=h.abc; kbs-session-idx=h.abc'],
    ['an empty value', 'kbs-session-id='],
    ['a value of another form', 'kbs-session-id=0123456789abcdef0123456789abcdef'],
    ['a quoted value', 'kbs-session-id="h.abc"'],
    ['another case', 'KBS-SESSION-ID=h.abc'],
    ['a giant value', `kbs-session-id=h.${'a'.repeat(4097)}`],
    ['a giant header', `kbs-session-id=h.abc; a=${'a'.repeat(20_000)}`],
  ])('finds nothing in %s', (_what, header) => {
    expect(readSessionCookie(header)).toBeUndefined();
  });

  it('refuses two cookies of the name', () => {
    expect(() => readSessionCookie('kbs-session-id=h.abc; kbs-session-id=s.def')).toThrow(
      expect.objectContaining({ code: 'SESSION_AMBIGUOUS' }) as Error,
    );
  });
});
