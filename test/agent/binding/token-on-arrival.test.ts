import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { boundTokenText, fingerprintOf, parseBoundToken } from '../../../agent/binding/bound-token-text.ts';
import { usableUntil } from '../../../agent/binding/token-lifetime.ts';
import { checkTokenOnArrival } from '../../../agent/binding/token-on-arrival.ts';
import { ClientError } from '../../../agent/client-error.ts';
import { createTeeKey, type TeeKey } from '../../../agent/tee-key/tee-key.ts';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { boundClaims, fakeToken } from '../../fakes/fake-token.ts';

const NOW = new Date('2026-11-24T10:00:00Z');
const SECONDS = NOW.getTime() / 1000;
const WHEN = { at: NOW, skewSeconds: 60 };
let key: TeeKey;
let other: TeeKey;

beforeAll(async () => {
  [key, other] = [await createTeeKey(), await createTeeKey()];
});

const claims = (changes: object = {}): JsonObject => ({ ...boundClaims(key.publicJwk, NOW), ...changes });
const runtimeData = (jwk: JsonObject): object => ({
  'ear.veraison.annotated-evidence': { runtime_data_claims: { 'tee-pubkey': jwk } },
});

test('a token that holds and states our key arrives with its times', () => {
  const token = fakeToken(claims());
  expect(checkTokenOnArrival(token, key, WHEN)).toEqual({
    token,
    key,
    issuedAt: NOW,
    expiresAt: new Date('2026-11-24T10:05:00Z'),
  });
});

test('upstream’s service states the key where the runtime data is', () => {
  const upstream = { exp: SECONDS + 300, submods: { cpu0: runtimeData(key.publicJwk) } };
  expect(checkTokenOnArrival(fakeToken(upstream), key, WHEN)).toMatchObject({ issuedAt: undefined });
});

describe('clocks', () => {
  test.each([
    ['ended 59 seconds ago by our clock', { exp: SECONDS - 59 }],
    ['begins in 60 seconds by our clock', { nbf: SECONDS + 60 }],
    ['does not say when', { exp: undefined, nbf: undefined, iat: undefined }],
  ])('a token that %s is taken', (_what, changes) => {
    expect(() => checkTokenOnArrival(fakeToken(claims(changes)), key, WHEN)).not.toThrow();
  });
});

test.each<[string, string, () => string]>([
  ['ended a minute ago', 'TOKEN_EXPIRED_ON_ARRIVAL', () => fakeToken(claims({ exp: SECONDS - 60 }))],
  ['begins in more than a minute', 'TOKEN_NOT_YET_VALID', () => fakeToken(claims({ nbf: SECONDS + 61 }))],
  ['states no key', 'TOKEN_WITHOUT_OUR_KEY', () => fakeToken(claims({ cnf: undefined }))],
  ['states another key', 'TOKEN_WITHOUT_OUR_KEY', () => fakeToken(claims({ cnf: { jwk: other.publicJwk } }))],
  [
    'states our key and another',
    'TOKEN_WITHOUT_OUR_KEY',
    () => fakeToken(claims({ submods: { cpu0: runtimeData(other.publicJwk) } })),
  ],
  [
    'states half of our key',
    'TOKEN_WITHOUT_OUR_KEY',
    () => fakeToken(claims({ cnf: { jwk: { ...key.publicJwk, y: 'AAAA' } } })),
  ],
  ['states text for a key', 'TOKEN_WITHOUT_OUR_KEY', () => fakeToken(claims({ cnf: { jwk: 'key' } }))],
  ['has words for its end', 'TOKEN_MALFORMED', () => fakeToken(claims({ exp: 'tomorrow' }))],
  ['ends after the year 9999', 'TOKEN_MALFORMED', () => fakeToken(claims({ exp: 1e15 }))],
  ['has two parts', 'TOKEN_MALFORMED', () => fakeToken(claims()).split('.').slice(0, 2).join('.')],
  ['has claims that are not JSON', 'TOKEN_MALFORMED', () => 'AAAA.AAAA.AAAA'],
  ['has a list of claims', 'TOKEN_MALFORMED', () => fakeToken([])],
  ['is a page', 'TOKEN_MALFORMED', () => '<html>'],
])('a token that %s is %s', (_what, code, make) => {
  expect(() => checkTokenOnArrival(make(), key, WHEN)).toThrow(expect.objectContaining({ code }));
});

test('whatever comes: a token of ours, or an error of ours', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => fakeToken(value as object)),
      ),
      (text) => {
        expect(() => checkTokenOnArrival(text, key, WHEN)).toThrow(ClientError);
      },
    ),
  );
});

describe('how long a token is used', () => {
  const OPTIONS = { renewBeforeSeconds: 30, skewSeconds: 60 };
  const at = (seconds: number): Date => new Date((SECONDS + seconds) * 1000);

  test.each([
    ['five minutes, and both clocks agree', { issuedAt: at(0), expiresAt: at(300) }, at(270)],
    ['five minutes, and our clock is a minute ahead', { issuedAt: at(-60), expiresAt: at(240) }, at(270)],
    ['five minutes, and our clock is behind', { issuedAt: at(60), expiresAt: at(360) }, at(270)],
    ['an hour, of which one minute is left', { issuedAt: at(-3540), expiresAt: at(60) }, at(90)],
    ['twenty seconds: half of them', { issuedAt: at(0), expiresAt: at(20) }, at(10)],
    ['until an end, without a beginning', { issuedAt: undefined, expiresAt: at(300) }, at(270)],
    ['who knows how long', { issuedAt: at(0), expiresAt: undefined }, undefined],
  ])('%s', (_what, times, until) => {
    expect(usableUntil(times, NOW, OPTIONS)).toEqual(until);
  });
});

describe('as text for another process', () => {
  test('is upstream’s: token, then key, and nothing else', async () => {
    const bound = checkTokenOnArrival(fakeToken(claims()), key, WHEN);
    const text = boundTokenText(bound);
    expect(text).toMatch(/^\{"token":"[^"]+","tee_keypair":"-----BEGIN PRIVATE KEY-----\\n[^"]+"\}$/);
    const read = await parseBoundToken(text, WHEN);
    expect(read).toMatchObject({ token: bound.token, key: { publicJwk: key.publicJwk } });
    expect(fingerprintOf(read)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test.each<[string, string, () => string]>([
    ['no JSON', 'TOKEN_MALFORMED', () => 'eyJ…'],
    ['a token alone', 'TOKEN_MALFORMED', () => JSON.stringify({ token: fakeToken(claims()) })],
    [
      'no key',
      'TEE_KEY_MALFORMED',
      () => JSON.stringify({ token: fakeToken(claims()), tee_keypair: 'none' }),
    ],
    [
      'the token of another key',
      'TOKEN_WITHOUT_OUR_KEY',
      () =>
        boundTokenText({ token: fakeToken(claims()), key: other, issuedAt: undefined, expiresAt: undefined }),
    ],
    [
      'a token that has ended (K6)',
      'TOKEN_EXPIRED_ON_ARRIVAL',
      () =>
        boundTokenText({
          token: fakeToken(claims({ exp: SECONDS - 100 })),
          key,
          issuedAt: undefined,
          expiresAt: undefined,
        }),
    ],
  ])('%s is refused', async (_what, code, text) => {
    await expect(parseBoundToken(text(), WHEN)).rejects.toMatchObject({ code });
  });
});
