import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseCompactJws } from '../../../server/token/compact-jws.ts';
import { compact, fakeIssuer, GOOD_CLAIMS } from './fake-issuer.ts';

const issuer = fakeIssuer();
const good = issuer.token(GOOD_CLAIMS);
const [header = '', payload = '', signature = ''] = good.split('.');
const unsigned = () => new Uint8Array(64);

describe('parseCompactJws', () => {
  it('reads header, payload and what is signed', () => {
    const jws = parseCompactJws(good);
    expect(jws).toMatchObject({ algorithm: 'ES256', keyId: 'key 1', payload: GOOD_CLAIMS });
    expect(Buffer.from(jws.signedBytes).toString()).toBe(`${header}.${payload}`);
    expect(jws.signature).toHaveLength(64);
  });

  it.each([
    ['one part', 'TOKEN_MALFORMED', header],
    ['two parts', 'TOKEN_MALFORMED', `${header}.${payload}`],
    ['four parts', 'TOKEN_MALFORMED', `${good}.AAAA`],
    ['five parts, as an encrypted token has', 'TOKEN_MALFORMED', `${header}.AA.AA.AA.AA`],
    ['an empty text', 'TOKEN_MALFORMED', ''],
    ['padding', 'TOKEN_MALFORMED', `${good}==`],
    ['blanks', 'TOKEN_MALFORMED', ` ${good}`],
    ['the other base64 alphabet', 'TOKEN_MALFORMED', `${header}.${payload}.+/+/`],
    ['stray bits', 'TOKEN_MALFORMED', `${header}.${payload}.AB`],
    ['a header that is no JSON', 'TOKEN_MALFORMED', compact('{', '{}', unsigned)],
    ['a header that is an array', 'TOKEN_MALFORMED', compact('[]', '{}', unsigned)],
    ['a payload that is no object', 'TOKEN_MALFORMED', compact('{"alg":"ES256"}', '"x"', unsigned)],
    ['a nested token', 'TOKEN_MALFORMED', compact('{"alg":"ES256","cty":"JWT"}', good, unsigned)],
    ['a header without alg', 'TOKEN_MALFORMED', compact('{}', '{}', unsigned)],
    ['an alg that is no text', 'TOKEN_MALFORMED', compact('{"alg":["ES256"]}', '{}', unsigned)],
    ['a kid that is no text', 'TOKEN_MALFORMED', compact('{"alg":"ES256","kid":{}}', '{}', unsigned)],
    ['a very long kid', 'TOKEN_MALFORMED', compact({ alg: 'ES256', kid: 'k'.repeat(513) }, '{}', unsigned)],
    ['a jwk that is no object', 'TOKEN_MALFORMED', compact('{"alg":"ES256","jwk":"x"}', '{}', unsigned)],
    ['two header members alike', 'TOKEN_MALFORMED', compact('{"alg":"ES256","alg":"none"}', '{}', unsigned)],
    ['two claims alike', 'TOKEN_MALFORMED', compact('{"alg":"ES256"}', '{"iss":"a","iss":"b"}', unsigned)],
    ['claims too deep', 'TOKEN_MALFORMED', compact('{"alg":"ES256"}', '['.repeat(10_000), unsigned)],
    [
      'critical extensions',
      'TOKEN_EXTENSION_UNSUPPORTED',
      compact({ alg: 'ES256', crit: ['exp'] }, '{}', unsigned),
    ],
    ['an empty crit', 'TOKEN_EXTENSION_UNSUPPORTED', compact({ alg: 'ES256', crit: [] }, '{}', unsigned)],
    [
      'an unencoded payload',
      'TOKEN_EXTENSION_UNSUPPORTED',
      compact({ alg: 'ES256', b64: false }, '{}', unsigned),
    ],
    ['a giant', 'TOKEN_TOO_LARGE', 'A'.repeat(262_145)],
  ])('refuses %s', (_what, code, token) => {
    expect(() => parseCompactJws(token)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('never fails otherwise than by refusing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(fc.json(), fc.json()).map(([a, b]) => compact(a, b, unsigned)),
        ),
        (text) => {
          try {
            parseCompactJws(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        },
      ),
    );
  });

  it('never repeats the token in a message', () => {
    expect(() => parseCompactJws(`${header}.${payload}.${signature}!`)).toThrow(
      expect.not.objectContaining({
        message: expect.stringContaining(payload.slice(0, 20)) as string,
      }) as Error,
    );
  });
});
