import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clock } from '../../server/clock.ts';
import {
  attest,
  attestationMessage,
  attestSession,
  beginSession,
  createGuestKey,
  requestNonce,
  sampleSource,
  verificationRequest,
} from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let now = new Date('2026-11-24T10:00:00Z');
const clock: Clock = () => now;
let verigo: RunningVerigo;
let stranger: RunningVerigo;
let strict: RunningVerigo;

beforeAll(async () => {
  [verigo, stranger, strict] = await Promise.all([
    startVerigo({ clock }),
    startVerigo({ clock }),
    startVerigo({ clock, config: { attestation: { nonce: 'required' } } }),
  ]);
});
afterAll(async () => {
  await Promise.all(
    [verigo, stranger, strict].map(async (one) => {
      await one.close();
    }),
  );
});

function later(seconds: number): void {
  now = new Date(now.getTime() + seconds * 1000);
}

describe('a nonce', () => {
  test('is different each time, and of a length that a token may repeat', async () => {
    const nonces = await Promise.all(
      Array.from({ length: 20 }, async () => await requestNonce(verigo.url, 'sample')),
    );
    expect(new Set(nonces).size).toBe(nonces.length);
    for (const nonce of nonces) expect(nonce.length).toBeLessThanOrEqual(88);
  });

  test('works once', async () => {
    const nonce = await requestNonce(verigo.url, 'sample');
    const key = createGuestKey();
    expect((await attest(verigo.url, sampleSource, key, { nonce })).reply.status).toBe(200);
    expect((await attest(verigo.url, sampleSource, key, { nonce })).reply).toMatchObject({
      status: 409,
      code: 'NONCE_ALREADY_USED',
    });
  });

  test('is spent by an attempt that fails', async () => {
    const nonce = await requestNonce(verigo.url, 'sample');
    const unbound = { tee: 'sample', evidence: async () => ({ svn: '1', report_data: 'AAAA' }) };
    expect((await attest(verigo.url, unbound, createGuestKey(), { nonce })).reply).toMatchObject({
      code: 'SAMPLE_REPORT_DATA_MISMATCH',
    });
    expect((await attest(verigo.url, sampleSource, createGuestKey(), { nonce })).reply).toMatchObject({
      code: 'NONCE_ALREADY_USED',
    });
  });

  test('expires', async () => {
    const nonces = [await requestNonce(verigo.url, 'sample'), await requestNonce(verigo.url, 'sample')];
    later(299);
    expect(
      (await attest(verigo.url, sampleSource, createGuestKey(), { nonce: nonces[0]! })).reply.status,
    ).toBe(200);
    later(1);
    expect(
      (await attest(verigo.url, sampleSource, createGuestKey(), { nonce: nonces[1]! })).reply,
    ).toMatchObject({
      status: 409,
      code: 'NONCE_EXPIRED',
    });
  });

  test('for another TEE is refused', async () => {
    const nonce = await requestNonce(verigo.url, 'snp');
    expect((await attest(verigo.url, sampleSource, createGuestKey(), { nonce })).reply).toMatchObject({
      status: 401,
      code: 'NONCE_OTHER_TEE',
    });
  });

  test('is one for all evidence of a request', async () => {
    const nonces = [await requestNonce(verigo.url, 'sample'), await requestNonce(verigo.url, 'sample')];
    const key = createGuestKey();
    const requests = nonces.map(async (nonce) => {
      const runtimeData = { nonce, 'tee-pubkey': key.publicJwk };
      return verificationRequest('sample', await sampleSource.evidence(runtimeData), runtimeData);
    });
    const json = { verification_requests: await Promise.all(requests), policy_ids: [] };
    expect(await send(verigo.url, '/attestation', { json })).toMatchObject({
      status: 401,
      code: 'NONCES_DIFFER',
    });
    // Neither was spent by it.
    expect((await attest(verigo.url, sampleSource, key, { nonce: nonces[0]! })).reply.status).toBe(200);
  });
});

/** What looks like a nonce of ours and is not: it proves no freshness. */
const foreign: readonly (readonly [string, (nonce: string) => string | Promise<string>])[] = [
  ['of another server', async () => await requestNonce(stranger.url, 'sample')],
  ['with one bit changed', (nonce) => flipped(nonce, 20)],
  ['with a later expiry', (nonce) => flipped(nonce, 4)],
  ['with a byte more', (nonce) => Buffer.from([...Buffer.from(nonce, 'base64'), 0]).toString('base64')],
  ['cut short', (nonce) => nonce.slice(0, -4)],
  ['in other spelling', (nonce) => ` ${nonce}`],
  ['of no bytes', () => ''],
  ['of a million bytes', () => 'A'.repeat(1_000_000)],
];

describe('a nonce that the server did not issue', () => {
  test.each(foreign)('%s never counts as one of ours', async (_name, make) => {
    const nonce = await make(await requestNonce(verigo.url, 'sample'));
    const { reply, token } = await attest(verigo.url, sampleSource, createGuestKey(), { nonce });
    expect(reply.status, reply.text).toBe(200); // the caller's own, which the caller checks
    expect(decodeJwt(token)).not.toHaveProperty('eat_nonce');
  });

  test.each(foreign)('%s is refused where a nonce is required', async (_name, make) => {
    const nonce = await make(await requestNonce(strict.url, 'sample'));
    expect((await attest(strict.url, sampleSource, createGuestKey(), { nonce })).reply).toMatchObject({
      status: 401,
      code: 'NONCE_REQUIRED',
    });
  });

  test('none at all is refused where one is required', async () => {
    const runtimeData = { 'tee-pubkey': createGuestKey().publicJwk };
    const request = verificationRequest('sample', await sampleSource.evidence(runtimeData), runtimeData);
    const json = { verification_requests: [request], policy_ids: [] };
    expect(await send(strict.url, '/attestation', { json })).toMatchObject({
      status: 401,
      code: 'NONCE_REQUIRED',
    });
    expect(
      await send(strict.url, '/attestation', {
        json: { ...json, verification_requests: [verificationRequest('sample', { svn: '1' })] },
      }),
    ).toMatchObject({ status: 401, code: 'NONCE_REQUIRED' });
  });

  test("the server's own is taken where one is required", async () => {
    const nonce = await requestNonce(strict.url, 'sample');
    const { token } = await attest(strict.url, sampleSource, createGuestKey(), { nonce });
    expect(decodeJwt(token)).toMatchObject({ eat_nonce: nonce });
  });
});

describe('a handshake of the key broker', () => {
  test('works once', async () => {
    const challenge = await beginSession(verigo.url, 'sample');
    const key = createGuestKey();
    expect((await attestSession(verigo.url, challenge, sampleSource, key)).reply.status).toBe(200);
    expect((await attestSession(verigo.url, challenge, sampleSource, key)).reply).toMatchObject({
      status: 401,
      code: 'NONCE_ALREADY_USED',
    });
  });

  test('expires', async () => {
    const challenge = await beginSession(verigo.url, 'sample');
    later(300);
    expect((await attestSession(verigo.url, challenge, sampleSource, createGuestKey())).reply).toMatchObject({
      status: 401,
      code: 'HANDSHAKE_INVALID',
    });
  });

  test('takes the nonce of its own challenge only', async () => {
    const [mine, others] = [
      await beginSession(verigo.url, 'sample'),
      await beginSession(verigo.url, 'sample'),
    ];
    const mixed = { nonce: others.nonce, cookie: mine.cookie };
    expect((await attestSession(verigo.url, mixed, sampleSource, createGuestKey())).reply).toMatchObject({
      status: 401,
      code: 'NONCE_MISMATCH',
    });
  });

  test.each([
    ['none', () => undefined, 'SESSION_MISSING'],
    [
      'one of another server',
      async () => (await beginSession(stranger.url, 'sample')).cookie,
      'HANDSHAKE_INVALID',
    ],
    ['a forged one', (cookie: string) => flippedCookie(cookie), 'HANDSHAKE_INVALID'],
    ['two', (cookie: string) => `${cookie}; ${cookie}`, 'SESSION_AMBIGUOUS'],
    ['a guessed session', () => `kbs-session-id=s.${'A'.repeat(43)}`, 'SESSION_ALREADY_ATTESTED'],
    ['one of another form', () => `kbs-session-id=${'0'.repeat(32)}`, 'SESSION_MISSING'],
  ] as const)('a cookie: %s', async (_name, change, code) => {
    const challenge = await beginSession(verigo.url, 'sample');
    const cookie = await change(challenge.cookie);
    const json = await attestationMessage(challenge.nonce, sampleSource, createGuestKey());
    const reply = await send(verigo.url, '/kbs/v0/attest', {
      json,
      headers: cookie === undefined ? {} : { cookie },
    });
    expect(reply).toMatchObject({ status: 401, code });
  });

  test('is bound to the TEE that was named', async () => {
    const challenge = await beginSession(verigo.url, 'snp');
    expect((await attestSession(verigo.url, challenge, sampleSource, createGuestKey())).reply).toMatchObject({
      status: 401,
      code: 'EVIDENCE_MALFORMED',
    });
  });
});

function flipped(text: string, index: number): string {
  const bytes = Buffer.from(text, 'base64');
  bytes[index]! ^= 1;
  return bytes.toString('base64');
}

function flippedCookie(cookie: string): string {
  const [name, value] = cookie.split('=h.') as [string, string];
  const bytes = Buffer.from(value, 'base64url');
  bytes[10]! ^= 1;
  return `${name}=h.${bytes.toString('base64url')}`;
}
