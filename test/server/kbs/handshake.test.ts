import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeKbs, startFakeKbs } from './fake-kbs.ts';
import { begin, HANDSHAKE } from './sample-guest.ts';

const TYPE = 'https://github.com/confidential-containers/kbs/errors/AttestationError';
let kbs: FakeKbs;

beforeAll(async () => {
  kbs = await startFakeKbs();
});

afterAll(async () => {
  await kbs.close();
});

describe('POST /kbs/v0/auth', () => {
  it('gives a fresh nonce and a cookie, and writes nothing', async () => {
    const before = await Promise.all([
      kbs.rows('kbs_session'),
      kbs.rows('spent_nonce'),
      kbs.rows('decision'),
    ]);
    const response = await kbs.app.inject({ method: 'POST', url: '/kbs/v0/auth', payload: HANDSHAKE });
    const other = await begin(kbs.app);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      nonce: expect.stringMatching(/^[A-Za-z0-9+/]{40,}=*$/) as string,
      'extra-params': '',
    });
    expect(response.json<{ nonce: string }>().nonce).not.toBe(other.nonce);
    expect(response.headers['set-cookie']).toMatch(
      /^kbs-session-id=h\.[\w-]+; Expires=.*; Path=\/kbs\/v0; HttpOnly; SameSite=Strict$/,
    );
    expect(response.headers['cache-control']).toBe('no-store');
    expect(
      await Promise.all([kbs.rows('kbs_session'), kbs.rows('spent_nonce'), kbs.rows('decision')]),
    ).toEqual(before);
  });

  it.each([
    ['no content type', { headers: {}, payload: JSON.stringify(HANDSHAKE) }],
    [
      'another content type',
      { headers: { 'content-type': 'text/plain' }, payload: JSON.stringify(HANDSHAKE) },
    ],
    ['extra-params of null', { payload: { ...HANDSHAKE, 'extra-params': null } }],
    ['extra-params of ""', { payload: { ...HANDSHAKE, 'extra-params': '' } }],
    ['build metadata', { payload: { ...HANDSHAKE, version: '0.4.0+x' } }],
    ['further members', { payload: { ...HANDSHAKE, more: 1 } }],
  ])('accepts %s', async (_what, request) => {
    expect((await kbs.app.inject({ method: 'POST', url: '/kbs/v0/auth', ...request })).statusCode).toBe(200);
  });

  it('negotiates with Secure Execution alone', async () => {
    const offer = (hashes: unknown) => ({
      ...HANDSHAKE,
      tee: 'se',
      'extra-params': { 'supported-hash-algorithms': hashes },
    });
    const post = async (payload: object) =>
      await kbs.app.inject({ method: 'POST', url: '/kbs/v0/auth', payload });
    expect((await post(offer(['sha256', 'SHA512']))).json()).toMatchObject({
      'extra-params': { 'selected-hash-algorithm': 'sha512' },
    });
    expect((await post({ ...HANDSHAKE, tee: 'se', 'extra-params': null })).json()).toMatchObject({
      'extra-params': '',
    });
    for (const hashes of [['sha256'], 'sha512', []]) {
      const response = await post(offer(hashes));
      expect(response.statusCode).toBe(401);
      expect(response.headers['verigo-code']).toBe('HASH_ALGORITHM_NOT_OFFERED');
    }
  });

  it.each([
    ['another version', 401, 'PROTOCOL_VERSION_MISMATCH', { ...HANDSHAKE, version: '0.3.0' }],
    ['a version that is none', 401, 'PROTOCOL_VERSION_MISMATCH', { ...HANDSHAKE, version: 'x' }],
    ['an unknown TEE', 401, 'TEE_UNKNOWN', { ...HANDSHAKE, tee: 'sev' }],
    ['a TEE in another case', 401, 'TEE_UNKNOWN', { ...HANDSHAKE, tee: 'Sample' }],
    ['no extra-params', 400, 'REQUEST_MALFORMED', { version: '0.4.0', tee: 'sample' }],
    ['no version', 400, 'REQUEST_MALFORMED', { tee: 'sample', 'extra-params': '' }],
    ['a giant name', 400, 'REQUEST_MALFORMED', { ...HANDSHAKE, tee: 'x'.repeat(65) }],
    ['no JSON', 400, 'JSON_MALFORMED', '{'],
    [
      'duplicate members',
      400,
      'JSON_DUPLICATE_KEY',
      '{"version":"0.4.0","version":"0.4.0","tee":"sample","extra-params":""}',
    ],
    ['JSON too deep', 400, 'JSON_TOO_DEEP', '['.repeat(10_000)],
    ['a forbidden member', 400, 'JSON_FORBIDDEN_KEY', '{"__proto__":{}}'],
    ['no UTF-8', 400, 'ENCODING_MALFORMED', Buffer.from([0xff])],
    ['a giant body', 413, 'BODY_TOO_LARGE', { ...HANDSHAKE, 'extra-params': 'x'.repeat(20_000) }],
    ['no body', 400, 'REQUEST_MALFORMED', undefined],
  ])('refuses %s', async (_what, status, code, payload) => {
    const response = await kbs.app.inject({
      method: 'POST',
      url: '/kbs/v0/auth',
      ...(payload !== undefined && { payload }),
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers['verigo-code']).toBe(code);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(Object.keys(response.json<object>())).toEqual(['type', 'detail']);
    expect(response.json<{ type: string }>().type).toBe(TYPE);
  });

  it('says what guest components look for when the version is another', async () => {
    const response = await kbs.app.inject({
      method: 'POST',
      url: '/kbs/v0/auth',
      payload: { ...HANDSHAKE, version: '0.1.1' },
    });
    expect(response.json<{ detail: string }>().detail).toContain('KBS Client Protocol Version Mismatch');
  });

  it('refuses a compressed body', async () => {
    const response = await kbs.app.inject({
      method: 'POST',
      url: '/kbs/v0/auth',
      headers: { 'content-encoding': 'gzip' },
      payload: HANDSHAKE,
    });
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([
      415,
      'CONTENT_ENCODING_UNSUPPORTED',
    ]);
  });
});
