import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AT } from '../token/fake-issuer.ts';
import { type FakeKbs, startFakeKbs, teeKey } from './fake-kbs.ts';
import { attestation, begin, cookieOf, sendAttestation } from './sample-guest.ts';

const TYPE = 'https://github.com/confidential-containers/kbs/errors/AttestationError';
const key = teeKey().publicJwk;
let kbs: FakeKbs;

beforeAll(async () => {
  kbs = await startFakeKbs();
});

afterAll(async () => {
  await kbs.close();
});

describe('POST /kbs/v0/attest', () => {
  it("gives the attestation service's token, and a session under another id", async () => {
    const { nonce, cookie } = await begin(kbs.app);
    const response = await sendAttestation(kbs.app, cookie, attestation(nonce, key));
    expect(response.statusCode).toBe(200);
    expect(response.json<{ token: string }>().token.split('.')).toHaveLength(3);
    const session = cookieOf(response);
    expect(session).toMatch(/^kbs-session-id=s\.[\w-]{43}$/);
    expect(session).not.toContain(cookie.slice('kbs-session-id=h.'.length));
    const [decision] = await kbs.decisions();
    expect(decision).toMatchObject({
      kind: 'attestation',
      outcome: 'granted',
      id: response.headers['verigo-decision-id'],
    });
  });

  it('attests devices in the order in which they came', async () => {
    const { nonce, cookie } = await begin(kbs.app);
    const response = await sendAttestation(kbs.app, cookie, attestation(nonce, key, { sampledevice: '2' }));
    const payload = response.json<{ token: string }>().token.split('.')[1] ?? '';
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { submods: object };
    expect(Object.keys(claims.submods)).toEqual(['cpu0', 'gpu0']);
  });

  it('attests once for a handshake, whatever comes at the same time', async () => {
    const { nonce, cookie } = await begin(kbs.app);
    const message = attestation(nonce, key);
    const responses = await Promise.all(
      [1, 2, 3].map(async () => await sendAttestation(kbs.app, cookie, message)),
    );
    expect(responses.map(({ statusCode }) => statusCode).sort()).toEqual([200, 401, 401]);
    const refused = responses.filter(({ statusCode }) => statusCode === 401);
    expect(refused.map(({ headers }) => headers['verigo-code'])).toEqual([
      'NONCE_ALREADY_USED',
      'NONCE_ALREADY_USED',
    ]);
    expect((await sendAttestation(kbs.app, cookie, message)).headers['verigo-code']).toBe(
      'NONCE_ALREADY_USED',
    );
  });

  it('spends the nonce of an attempt that failed', async () => {
    const { nonce, cookie } = await begin(kbs.app);
    const wrong = attestation(nonce, key);
    const forged = { ...wrong, 'runtime-data': { nonce, 'tee-pubkey': teeKey().publicJwk } };
    const first = await sendAttestation(kbs.app, cookie, forged);
    expect([first.statusCode, first.headers['verigo-code']]).toEqual([401, 'SAMPLE_REPORT_DATA_MISMATCH']);
    expect(first.json<{ detail: string }>().detail).toContain(
      `(decision ${String(first.headers['verigo-decision-id'])})`,
    );
    const second = await sendAttestation(kbs.app, cookie, wrong);
    expect([second.statusCode, second.headers['verigo-code']]).toEqual([401, 'NONCE_ALREADY_USED']);
  });

  it('refuses a session that is attested', async () => {
    const { nonce, cookie } = await begin(kbs.app);
    const attested = cookieOf(await sendAttestation(kbs.app, cookie, attestation(nonce, key)));
    const response = await sendAttestation(kbs.app, attested, attestation(nonce, key));
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([401, 'SESSION_ALREADY_ATTESTED']);
  });

  it('refuses a handshake that has expired', async () => {
    const { nonce, cookie } = await begin(kbs.app);
    kbs.setTime(new Date(AT.getTime() + 301_000));
    const response = await sendAttestation(kbs.app, cookie, attestation(nonce, key));
    kbs.setTime(AT);
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([401, 'HANDSHAKE_INVALID']);
  });

  it.each<
    [
      string,
      string,
      (challenge: { nonce: string; cookie: string; other: string }) => [string | undefined, object],
    ]
  >([
    ['no cookie', 'SESSION_MISSING', ({ nonce }) => [undefined, attestation(nonce, key)]],
    [
      'a guessed cookie',
      'HANDSHAKE_INVALID',
      ({ nonce }) => ['kbs-session-id=h.AAAA', attestation(nonce, key)],
    ],
    [
      "upstream's form of a cookie",
      'SESSION_MISSING',
      ({ nonce }) => [`kbs-session-id=${'0'.repeat(32)}`, attestation(nonce, key)],
    ],
    [
      'a changed cookie',
      'HANDSHAKE_INVALID',
      ({ nonce, cookie }) => [`${cookie.slice(0, -2)}AA`, attestation(nonce, key)],
    ],
    [
      'two cookies',
      'SESSION_AMBIGUOUS',
      ({ nonce, cookie }) => [`${cookie}; ${cookie}`, attestation(nonce, key)],
    ],
    ["another handshake's nonce", 'NONCE_MISMATCH', ({ cookie, other }) => [cookie, attestation(other, key)]],
    ['an empty nonce', 'NONCE_MISMATCH', ({ cookie }) => [cookie, attestation('', key)]],
    [
      'a nonce in another spelling',
      'NONCE_MISMATCH',
      ({ nonce, cookie }) => [cookie, attestation(` ${nonce}`, key)],
    ],
    [
      'init data of another format',
      'INIT_DATA_FORMAT_UNSUPPORTED',
      ({ nonce, cookie }) => [
        cookie,
        { ...attestation(nonce, key), 'init-data': { format: 'json', body: '{}' } },
      ],
    ],
    [
      'devices that are no object',
      'ADDITIONAL_EVIDENCE_MALFORMED',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, '[]')],
    ],
    [
      'devices that are no JSON',
      'ADDITIONAL_EVIDENCE_MALFORMED',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, 'x')],
    ],
    [
      'a device twice',
      'ADDITIONAL_EVIDENCE_MALFORMED',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, '{"nvidia":1,"nvidia":2}')],
    ],
    [
      'an unknown device',
      'ADDITIONAL_EVIDENCE_MALFORMED',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, '{"toaster":1}')],
    ],
    [
      'a device that is not accepted',
      'TEE_NOT_ENABLED',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, '{"nvidia":1}')],
    ],
    [
      'devices that are not chained to the TEE',
      'SAMPLE_REPORT_DATA_MISMATCH',
      ({ nonce, cookie }) => [cookie, withDevices(nonce, '{"sampledevice":{"svn":"2","report_data":""}}')],
    ],
  ])('refuses %s', async (_what, code, make) => {
    const challenge = await begin(kbs.app);
    const [cookie, message] = make({ ...challenge, other: (await begin(kbs.app)).nonce });
    const response = await sendAttestation(kbs.app, cookie, message);
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([401, code]);
    expect(response.json<{ type: string }>().type).toBe(TYPE);
    expect(response.headers).not.toHaveProperty('set-cookie');
  });

  it.each([
    ['no runtime data', (message: Record<string, unknown>) => ({ ...message, 'runtime-data': undefined })],
    ['runtime data of null', (message: Record<string, unknown>) => ({ ...message, 'runtime-data': null })],
    [
      'a nonce of null',
      (message: Record<string, unknown>) => ({
        ...message,
        'runtime-data': { nonce: null, 'tee-pubkey': key },
      }),
    ],
    ['no key', (message: Record<string, unknown>) => ({ ...message, 'runtime-data': { nonce: '' } })],
    [
      'a key that is a list',
      (message: Record<string, unknown>) => ({ ...message, 'runtime-data': { nonce: '', 'tee-pubkey': [] } }),
    ],
    [
      'no evidence',
      (message: Record<string, unknown>) => ({ ...message, 'tee-evidence': { additional_evidence: '' } }),
    ],
    [
      'devices as an object',
      (message: Record<string, unknown>) => ({
        ...message,
        'tee-evidence': { primary_evidence: {}, additional_evidence: {} },
      }),
    ],
  ])('refuses %s as malformed', async (_what, change) => {
    const { nonce, cookie } = await begin(kbs.app);
    const response = await sendAttestation(kbs.app, cookie, change(attestation(nonce, key)));
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([400, 'REQUEST_MALFORMED']);
  });

  it('refuses evidence beyond its limit', async () => {
    const response = await sendAttestation(kbs.app, undefined, { x: 'x'.repeat(70_000) });
    expect(response.statusCode).toBe(413);
  });

  function withDevices(nonce: string, devices: string): object {
    const message = attestation(nonce, key);
    return {
      ...message,
      'tee-evidence': { primary_evidence: { svn: '1', report_data: '' }, additional_evidence: devices },
    };
  }
});
