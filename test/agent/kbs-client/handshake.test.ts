import { afterEach, describe, expect, test } from 'vitest';
import type { Guest } from '../../../agent/guest.ts';
import { type AttestedSession, attestByHandshake } from '../../../agent/kbs-client/handshake.ts';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { fakeGuest, plainServer, QUICK, sampleDevices } from '../../fakes/fake-guest.ts';
import { boundClaims, fakeToken } from '../../fakes/fake-token.ts';
import {
  json,
  kbsRefusal,
  type ScriptedReply,
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
} from '../../fakes/scripted-server.ts';

interface Message {
  readonly 'init-data': unknown;
  readonly 'runtime-data': { readonly nonce: string; readonly 'tee-pubkey': JsonObject };
  readonly 'tee-evidence': { readonly primary_evidence: unknown; readonly additional_evidence: string };
}

const COOKIE = { 'set-cookie': 'kbs-session-id=first; Path=/kbs/v0; HttpOnly' };
const CHALLENGE = json({ nonce: 'fresh', 'extra-params': '' }, 200, COOKIE);
let broker: ScriptedServer | undefined;

afterEach(async () => {
  await broker?.close();
  broker = undefined;
});

function messageIn({ text }: SeenRequest): Message {
  return JSON.parse(text) as Message;
}

function tokenFor(request: SeenRequest, headers: Readonly<Record<string, string>> = {}): ScriptedReply {
  const claims = boundClaims(messageIn(request)['runtime-data']['tee-pubkey'], new Date());
  return json({ token: fakeToken(claims) }, 200, headers);
}

/** A broker that gives a challenge and a token, unless the test has another answer for the n-th request. */
async function attest(
  answers: Readonly<Record<number, ScriptedReply>> = {},
  guest: Guest = fakeGuest(),
): Promise<{ session: Promise<AttestedSession>; seen: readonly SeenRequest[] }> {
  const server = await startScriptedServer(
    (request, count) => answers[count] ?? (request.path === '/kbs/v0/auth' ? CHALLENGE : tokenFor(request)),
  );
  broker = server;
  const session = attestByHandshake(guest, { server: plainServer(server.url), attempts: QUICK });
  session.catch(() => undefined); // each test awaits it when it is ready
  return { session, seen: server.seen };
}

describe('the messages', () => {
  test('are those of version 0.4.0', async () => {
    const { session, seen } = await attest();
    const { cookie, token } = await session;
    expect(cookie).toBe('kbs-session-id=first');
    expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /kbs/v0/auth',
      'POST /kbs/v0/attest',
    ]);
    expect(JSON.parse(seen[0]!.text)).toEqual({
      version: '0.4.0',
      tee: 'sample',
      'extra-params': { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512', 'sm3'] },
    });
    expect(seen[1]?.headers.cookie).toBe('kbs-session-id=first');
    expect(messageIn(seen[1]!)).toEqual({
      'init-data': null,
      'runtime-data': { nonce: 'fresh', 'tee-pubkey': token.key.publicJwk },
      'tee-evidence': {
        primary_evidence: { svn: '1', report_data: expect.any(String) as string },
        additional_evidence: '',
      },
    });
  });

  test('carry devices as text, and init data', async () => {
    const guest = fakeGuest({ devices: sampleDevices, initDataToml: 'version = "0.1.0"' });
    const { session, seen } = await attest({}, guest);
    await session;
    const message = messageIn(seen[1]!);
    expect(message['init-data']).toEqual({ format: 'toml', body: 'version = "0.1.0"' });
    expect(Object.keys(JSON.parse(message['tee-evidence'].additional_evidence) as object)).toEqual([
      'sampledevice',
    ]);
  });

  test.each([
    ['sha256', 32],
    ['SHA512', 64],
    ['sm3', 32],
  ])('the broker’s choice of %s is followed (K11)', async (name, bytes) => {
    const chosen = json({ nonce: 'fresh', 'extra-params': { 'selected-hash-algorithm': name } }, 200, COOKIE);
    const { session, seen } = await attest({ 1: chosen });
    await session;
    const { report_data: bound } = messageIn(seen[1]!)['tee-evidence'].primary_evidence as Record<
      string,
      string
    >;
    expect(Buffer.from(bound!, 'base64')).toHaveLength(bytes);
  });

  test('a cookie that comes with the token replaces the first', async () => {
    const server = await startScriptedServer((request) =>
      request.path === '/kbs/v0/auth'
        ? CHALLENGE
        : tokenFor(request, { 'set-cookie': 'kbs-session-id=second; HttpOnly' }),
    );
    broker = server;
    const session = await attestByHandshake(fakeGuest(), {
      server: plainServer(server.url),
      attempts: QUICK,
    });
    expect(session.cookie).toBe('kbs-session-id=second');
  });
});

describe('what ends it', () => {
  const mismatch = json({ type: 'x', detail: 'KBS Client Protocol Version Mismatch: expect 0.5.0' }, 401);
  test.each<[string, string, Readonly<Record<number, ScriptedReply>>, number]>([
    ['evidence that upstream refuses (K8)', 'ATTESTATION_REFUSED', { 2: kbsRefusal('AttestationError') }, 2],
    ['a page in place of a refusal (K2)', 'ATTESTATION_REFUSED', { 2: { status: 401, body: '<html>' } }, 2],
    ['another version of the protocol', 'PROTOCOL_VERSION_MISMATCH', { 1: mismatch }, 1],
    ['a server that is no key broker', 'REQUEST_REFUSED', { 1: { status: 404 } }, 1],
    ['a challenge without a nonce', 'REPLY_MALFORMED', { 1: json({ 'extra-params': '' }, 200, COOKIE) }, 1],
    ['an empty nonce', 'REPLY_MALFORMED', { 1: json({ nonce: '', 'extra-params': '' }, 200, COOKIE) }, 1],
    [
      'a challenge without a cookie',
      'REPLY_MALFORMED',
      { 1: json({ nonce: 'fresh', 'extra-params': '' }) },
      1,
    ],
    [
      'a cookie that holds a line break of headers',
      'REPLY_MALFORMED',
      { 1: json({ nonce: 'a', 'extra-params': '' }, 200, { 'set-cookie': 'kbs-session-id="a b"' }) },
      1,
    ],
    [
      'a digest that nobody has',
      'HASH_ALGORITHM_UNSUPPORTED',
      { 1: json({ nonce: 'a', 'extra-params': { 'selected-hash-algorithm': 'md5' } }, 200, COOKIE) },
      1,
    ],
    ['a challenge that is not JSON', 'REPLY_MALFORMED', { 1: { body: 'fresh' } }, 1],
    ['a reply without a token', 'REPLY_MALFORMED', { 2: json({}) }, 2],
    ['a token that is none', 'TOKEN_MALFORMED', { 2: json({ token: 'token' }) }, 2],
    [
      'a token for another key',
      'TOKEN_WITHOUT_OUR_KEY',
      { 2: json({ token: fakeToken(boundClaims({ kty: 'EC' }, new Date())) }) },
      2,
    ],
  ])('%s: %s', async (_what, code, answers, requests) => {
    const { session, seen } = await attest(answers);
    await expect(session).rejects.toMatchObject({ code });
    expect(seen).toHaveLength(requests);
  });
});

describe('what begins it anew', () => {
  test.each<[string, Readonly<Record<number, ScriptedReply>>, number]>([
    ['a failure of the broker (K8)', { 2: { status: 503 } }, 4],
    ['too many requests', { 1: { status: 429 } }, 3],
    [
      'a challenge that the broker no longer knows',
      { 2: { ...kbsRefusal('AttestationError'), headers: { 'verigo-code': 'HANDSHAKE_INVALID' } } },
      4,
    ],
  ])('%s', async (_what, answers, requests) => {
    const { session, seen } = await attest(answers);
    await session;
    expect(seen).toHaveLength(requests);
    const keys = seen
      .filter(({ path }) => path === '/kbs/v0/attest')
      .map((request) => JSON.stringify(messageIn(request)['runtime-data']['tee-pubkey']));
    expect(new Set(keys).size).toBe(keys.length);
  });
});
