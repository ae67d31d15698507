import { afterEach, describe, expect, test } from 'vitest';
import { fetchPassport } from '../../../agent/attestation-service-client/passport.ts';
import type { BoundToken } from '../../../agent/binding/token-on-arrival.ts';
import type { Guest } from '../../../agent/guest.ts';
import { bindRuntimeData } from '../../../server/attestation/runtime-data.ts';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { fakeGuest, plainServer, QUICK, sampleDevices } from '../../fakes/fake-guest.ts';
import { boundClaims, fakeToken } from '../../fakes/fake-token.ts';
import {
  json,
  type ScriptedReply,
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
} from '../../fakes/scripted-server.ts';

interface Verification {
  readonly tee: string;
  readonly evidence: string;
  readonly runtime_data: { readonly structured: JsonObject };
  readonly runtime_data_hash_algorithm: string;
  readonly init_data?: unknown;
}

let service: ScriptedServer | undefined;

afterEach(async () => {
  await service?.close();
  service = undefined;
});

function verificationsIn({ text }: SeenRequest): readonly Verification[] {
  return (JSON.parse(text) as { verification_requests: readonly Verification[] }).verification_requests;
}

function nonceIn(request: SeenRequest): unknown {
  return verificationsIn(request)[0]?.runtime_data.structured['nonce'];
}

function tokenFor(request: SeenRequest, changes: object = {}): ScriptedReply {
  const key = verificationsIn(request)[0]?.runtime_data.structured['tee-pubkey'] as JsonObject;
  // As upstream's: the key is where the runtime data is.
  const submods = {
    cpu0: { 'ear.veraison.annotated-evidence': { runtime_data_claims: { 'tee-pubkey': key } } },
  };
  const { iat, exp } = boundClaims(key, new Date());
  return { body: `${fakeToken({ iat, exp, submods, ...changes })}\n` };
}

type Answers = Readonly<Record<number, ScriptedReply>>;

/** A service that gives nonces and tokens, unless the test has another answer for the n-th request. */
async function fetchFrom(
  answers: Answers = {},
  guest: Guest = fakeGuest(),
  policyIds?: readonly string[],
): Promise<{ token: Promise<BoundToken>; seen: readonly SeenRequest[] }> {
  const server = await startScriptedServer(
    (request, count) =>
      answers[count] ?? (request.path === '/challenge' ? { body: `nonce ${count}` } : tokenFor(request)),
  );
  service = server;
  const token = fetchPassport(guest, {
    server: plainServer(server.url),
    attempts: QUICK,
    ...(policyIds !== undefined && { policyIds }),
  });
  token.catch(() => undefined); // each test awaits it when it is ready
  return { token, seen: server.seen };
}

describe('the requests', () => {
  test('a nonce, then evidence that is bound to it and to a key of ours (A1)', async () => {
    const { token, seen } = await fetchFrom({}, fakeGuest(), ['strict']);
    const { key } = await token;
    expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /challenge',
      'POST /attestation',
    ]);
    expect(JSON.parse(seen[0]!.text)).toEqual({ tee: 'sample', tee_params: '' });
    expect(JSON.parse(seen[1]!.text)).toMatchObject({ policy_ids: ['strict'] });
    const [primary, ...others] = verificationsIn(seen[1]!);
    expect(others).toEqual([]);
    const structured = { nonce: 'nonce 1', 'tee-pubkey': key.publicJwk, 'additional-evidence': '' };
    expect(primary).toEqual({
      tee: 'sample',
      evidence: expect.any(String) as string,
      runtime_data: { structured },
      runtime_data_hash_algorithm: 'sha384',
    });
    const evidence = JSON.parse(Buffer.from(primary!.evidence, 'base64url').toString()) as {
      report_data: string;
    };
    const { reportData } = bindRuntimeData({ structured }, 'sha384');
    expect(Buffer.from(evidence.report_data, 'base64')).toEqual(Buffer.from(reportData!));
  });

  test('devices as further entries, init data with the TEE (A2)', async () => {
    const guest = fakeGuest({ devices: sampleDevices, initDataToml: 'version = "0.1.0"' });
    const { token, seen } = await fetchFrom({}, guest);
    const { key } = await token;
    const [primary, device] = verificationsIn(seen[1]!);
    expect(primary?.init_data).toEqual({ init_data_toml: 'version = "0.1.0"' });
    expect(device?.init_data).toBeUndefined();
    const data = { nonce: 'nonce 1', 'tee-pubkey': key.publicJwk };
    expect(device?.runtime_data.structured).toEqual(data);
    const evidence = Buffer.from(device!.evidence, 'base64url').toString();
    expect(primary?.runtime_data.structured).toEqual({
      ...data,
      'additional-evidence': `{"sampledevice":${evidence}}`,
    });
  });
});

describe('a service without nonces', () => {
  test.each<[string, ScriptedReply]>([
    ['answers nothing, as upstream’s', { body: '' }],
    ['has no such route', { status: 404, body: 'not found' }],
    ['has another method there', { status: 405 }],
  ])('%s: the nonce is our own, 32 random bytes', async (_what, reply) => {
    const { token, seen } = await fetchFrom({ 1: reply });
    await token;
    expect(Buffer.from(String(nonceIn(seen[1]!)), 'base64')).toHaveLength(32);
  });
});

describe('what ends it', () => {
  test.each<[string, string, Answers, number]>([
    [
      'upstream’s refusal, which is 500',
      'ATTESTATION_REFUSED',
      { 2: { status: 500, body: 'An internal error' } },
      2,
    ],
    ['our refusal', 'ATTESTATION_REFUSED', { 2: json({ code: 'SIGNATURE_INVALID', detail: 'no' }, 401) }, 2],
    ['a TEE that it does not know', 'ATTESTATION_REFUSED', { 1: json({ code: 'TEE_UNKNOWN' }, 422) }, 1],
    ['a nonce that is far too long', 'REPLY_MALFORMED', { 1: { body: 'a'.repeat(65_537) } }, 1],
    ['a nonce that is not text', 'REPLY_MALFORMED', { 1: { body: Uint8Array.of(0xff) } }, 1],
    ['a page in place of a token', 'TOKEN_MALFORMED', { 2: { body: '<html>' } }, 2],
    ['a redirect', 'REDIRECT_REFUSED', { 2: { status: 308, headers: { location: '/' } } }, 2],
    [
      'nonces that it refuses again and again',
      'NONCE_REFUSED',
      { 2: json({ code: 'NONCE_EXPIRED' }, 409), 4: json({ code: 'NONCE_EXPIRED' }, 409) },
      4,
    ],
  ])('%s: %s', async (_what, code, answers, requests) => {
    const { token, seen } = await fetchFrom(answers);
    await expect(token).rejects.toMatchObject({ code, isTransient: false });
    expect(seen).toHaveLength(requests);
  });

  test.each([
    ['a token that has ended', 'TOKEN_EXPIRED_ON_ARRIVAL', { exp: 1 }],
    ['a token that begins later', 'TOKEN_NOT_YET_VALID', { nbf: 4e9 }],
    ['a token without our key', 'TOKEN_WITHOUT_OUR_KEY', { submods: {} }],
  ])('%s: %s', async (_what, code, changes) => {
    const server = await startScriptedServer((request) =>
      request.path === '/challenge' ? { body: 'nonce' } : tokenFor(request, changes),
    );
    service = server;
    const token = fetchPassport(fakeGuest(), { server: plainServer(server.url), attempts: QUICK });
    await expect(token).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(2);
  });

  test('a TEE that gives no evidence: the attester’s own error, and nothing was sent', async () => {
    const guest = fakeGuest();
    const provider = { ...guest.provider, reportDataBytes: 16 };
    const { token, seen } = await fetchFrom({}, { ...guest, provider });
    await expect(token).rejects.toMatchObject({ code: 'REPORT_DATA_TOO_LONG' });
    expect(seen).toHaveLength(1);
  });
});

describe('what begins it anew, with a nonce of its own', () => {
  test.each<[string, Answers]>([
    ['503', { 2: { status: 503 } }],
    ['502 of a proxy', { 2: { status: 502, body: '<html>' } }],
    ['our own 500', { 2: json({ code: 'INTERNAL_ERROR' }, 500) }],
    ['429', { 2: { status: 429 } }],
    ['a lost reply', { 2: { breaks: true } }],
    ['a nonce that came too late', { 2: json({ code: 'NONCE_EXPIRED' }, 409) }],
  ])('%s', async (_what, answers) => {
    const { token, seen } = await fetchFrom(answers);
    await token;
    expect(seen.map(({ path }) => path)).toEqual([
      '/challenge',
      '/attestation',
      '/challenge',
      '/attestation',
    ]);
    expect([nonceIn(seen[1]!), nonceIn(seen[3]!)]).toEqual(['nonce 1', 'nonce 3']);
  });
});
