import { createHash } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeAmd, type FakeAmd } from '../fakes/fake-amd.ts';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
  SNP_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import {
  type Appraisal,
  attest,
  attestSession,
  beginSession,
  createGuestKey,
  type EvidenceSource,
  type GuestKeyKind,
  getResource,
  openResource,
  requestNonce,
  sampleSource,
  snpSource,
} from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const SECRET = 'the passphrase of a disk';
const RESOURCE = 'default/disk/passphrase';

interface Ear {
  readonly submods: Readonly<Record<string, Appraisal>>;
  readonly eat_nonce?: string;
  readonly cnf?: { readonly jwk: unknown };
}

let amd: FakeAmd;
let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  amd = await createFakeAmd({}, ['Milan']);
  verigo = await startVerigo({ rootsPem: amd.pem('Milan') });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, SECRET);
});
afterAll(async () => {
  await verigo.close();
});

/** As any OpenID Connect library would: from discovery to the keys, then signature, issuer and times. */
async function verifyByDiscovery(
  token: string,
): Promise<Ear & { jti?: string; nbf?: number; iat?: number; exp?: number }> {
  const discovery = await send(verigo.url, '/.well-known/openid-configuration');
  const { issuer, jwks_uri } = discovery.json() as { issuer: string; jwks_uri: string };
  const keys = (await (await fetch(jwks_uri)).json()) as JSONWebKeySet;
  const { payload } = await jwtVerify<Ear>(token, createLocalJWKSet(keys), { issuer, algorithms: ['ES256'] });
  return payload;
}

/** Two sources of evidence, named late: the fake AMD is made before the tests and after their table. */
const sources: readonly (readonly [string, () => EvidenceSource])[] = [
  ['SEV-SNP', () => snpSource(amd)],
  ['sample', () => sampleSource],
];

describe('before anybody said what is expected', () => {
  test.each(sources)('%s evidence is genuine but not affirmed, and opens nothing', async (_name, source) => {
    const key = createGuestKey();
    const { reply, token } = await attest(verigo.url, source(), key);
    expect(reply.status, reply.text).toBe(200);
    expect((await verifyByDiscovery(token)).submods['cpu0']?.['ear.status']).toBe('contraindicated');
    const refused = await getResource(verigo.url, RESOURCE, { token });
    expect(refused).toMatchObject({ status: 401, code: 'POLICY_DENIED' });
    expect(await administrator.decision(refused.decisionId)).toMatchObject({
      kind: 'release',
      outcome: 'denied',
      code: 'POLICY_DENIED',
      subject: `resource ${RESOURCE}`,
      policy: { name: 'resource-policy' },
      detail: { submods: { cpu0: { status: 'contraindicated' } } },
    });
  });

  test('who is denied does not learn whether the resource exists', async () => {
    const { token } = await attest(verigo.url, sampleSource, createGuestKey());
    const there = await getResource(verigo.url, RESOURCE, { token });
    const missing = await getResource(verigo.url, 'default/disk/nonesuch', { token });
    expect(missing).toMatchObject({ status: there.status, code: there.code });
  });
});

describe('once the reference values are set', () => {
  beforeAll(async () => {
    await administrator.setReferenceValues([...SNP_REFERENCE_VALUES, ...SAMPLE_REFERENCE_VALUES]);
  });

  const kinds: readonly GuestKeyKind[] = ['P-256', 'P-521', 'RSA'];
  const combinations = sources.flatMap(([name, source]) =>
    kinds.map((kind) => [name, kind, source] as const),
  );

  test.each(combinations)(
    'passport: %s evidence with a %s key opens the resource',
    async (name, kind, source) => {
      const key = createGuestKey(kind);
      const nonce = await requestNonce(verigo.url, source().tee);
      const { reply, token } = await attest(verigo.url, source(), key, { nonce });
      expect(reply.status, reply.text).toBe(200);
      expect(reply.headers.get('content-type')).toMatch(/^application\/eat\+jwt/);

      const claims = await verifyByDiscovery(token);
      const { publicJwk } = key;
      expect(claims).toMatchObject({
        cnf: { jwk: publicJwk },
        eat_nonce: nonce,
        nbf: claims.iat,
        exp: (claims.iat ?? 0) + 300,
        jti: reply.decisionId,
      });
      const cpu0 = claims.submods['cpu0']!;
      expect(cpu0).toMatchObject({
        'ear.status': 'affirming',
        'ear.appraisal-policy-id': 'default',
        'ear.verigo.policy': { name: 'default_cpu' },
        'ear.veraison.annotated-evidence': { runtime_data_claims: { nonce, 'tee-pubkey': publicJwk } },
      });
      expect(cpu0['ear.verigo.simulated']).toBe(name === 'sample' ? true : undefined);

      const released = await getResource(verigo.url, RESOURCE, { token });
      expect(released.status, released.text).toBe(200);
      expect(released.headers.get('cache-control')).toBe('no-store');
      expect(await openResource(released, key)).toBe(SECRET);
      await expect(openResource(released, createGuestKey(kind))).rejects.toThrow();
      expect(await administrator.decision(reply.decisionId)).toMatchObject({
        kind: 'attestation',
        outcome: 'granted',
        subject: source().tee,
        policy: { name: 'default_cpu', sha384: cpu0['ear.verigo.policy'].sha384 },
        detail: { nonce: 'issued', submods: { cpu0: { policy: 'default_cpu' } } },
      });
      expect(await administrator.decision(released.decisionId)).toMatchObject({
        kind: 'release',
        outcome: 'granted',
        code: null,
        detail: { token: { jti: reply.decisionId } },
      });
    },
  );

  test.each(combinations)(
    'background check: %s evidence with a %s key opens the resource',
    async (_name, kind, source) => {
      const key = createGuestKey(kind);
      const challenge = await beginSession(verigo.url, source().tee);
      const { reply, token, cookie } = await attestSession(verigo.url, challenge, source(), key);
      expect(reply.status, reply.text).toBe(200);
      expect(cookie).not.toBe(challenge.cookie);
      const claims = await verifyByDiscovery(token);
      expect(claims).toMatchObject({
        cnf: { jwk: key.publicJwk },
        eat_nonce: challenge.nonce,
        jti: reply.decisionId,
        submods: {
          cpu0: {
            'ear.status': 'affirming',
            'ear.veraison.annotated-evidence': { runtime_data_claims: { 'additional-evidence': '' } },
          },
        },
      });
      for (const credentials of [{ cookie }, { token }]) {
        const released = await getResource(verigo.url, RESOURCE, credentials);
        expect(released.status, released.text).toBe(200);
        expect(await openResource(released, key)).toBe(SECRET);
      }
    },
  );

  test('the token shows what the chip said, and the record the digest of the evidence', async () => {
    const key = createGuestKey();
    const nonce = await requestNonce(verigo.url, 'snp');
    const runtimeData = { nonce, 'tee-pubkey': key.publicJwk };
    const evidence = Buffer.from(JSON.stringify(await snpSource(amd).evidence(runtimeData)));
    const reply = await send(verigo.url, '/attestation', {
      json: {
        verification_requests: [
          { tee: 'snp', evidence: evidence.toString('base64url'), runtime_data: { structured: runtimeData } },
        ],
        policy_ids: ['default'],
      },
    });
    const claims = await verifyByDiscovery(reply.text);
    expect(claims.submods['cpu0']?.['ear.veraison.annotated-evidence']).toMatchObject({
      snp: { measurement: 'a5'.repeat(48), reported_tcb_microcode: 115, policy_debug_allowed: false },
    });
    expect(await administrator.decision(reply.decisionId)).toMatchObject({
      evidence_sha256: createHash('sha256').update(evidence).digest('hex'),
    });
  });

  test("the token's header names the key that the key set publishes, and proves it", async () => {
    const { token } = await attest(verigo.url, sampleSource, createGuestKey());
    const header = decodeProtectedHeader(token);
    const { keys } = (await send(verigo.url, '/.well-known/jwks.json')).json() as JSONWebKeySet;
    expect(header).toMatchObject({ typ: 'JWT', alg: 'ES256', kid: keys[0]?.kid });
    expect(header.jwk).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', x: keys[0]?.x, y: keys[0]?.y });
    expect(JSON.stringify(keys)).not.toContain('"d"');
  });

  test('an affirmed guest hears that a resource is missing', async () => {
    const { token } = await attest(verigo.url, sampleSource, createGuestKey());
    const missing = await getResource(verigo.url, 'default/disk/nonesuch', { token });
    expect(missing).toMatchObject({ status: 404, code: 'RESOURCE_NOT_FOUND' });
    expect(await administrator.decision(missing.decisionId)).toMatchObject({
      outcome: 'denied',
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  test('a refusal is recorded with its reason', async () => {
    const otherKey = createGuestKey();
    const source = {
      tee: 'sample',
      evidence: async () => await sampleSource.evidence({ nonce: '', 'tee-pubkey': otherKey.publicJwk }),
    };
    const { reply } = await attest(verigo.url, source, createGuestKey());
    expect(reply).toMatchObject({ status: 401, code: 'SAMPLE_REPORT_DATA_MISMATCH' });
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(reply.json()).toMatchObject({
      status: 401,
      code: 'SAMPLE_REPORT_DATA_MISMATCH',
      decision_id: reply.decisionId,
    });
    expect(await administrator.decision(reply.decisionId)).toMatchObject({
      kind: 'attestation',
      outcome: 'denied',
      code: 'SAMPLE_REPORT_DATA_MISMATCH',
    });
  });

  test('a reference value that is deleted counts no more', async () => {
    const path = '/api/v1/reference-values/svn';
    expect(await send(verigo.url, path, { method: 'DELETE', token: administrator.token })).toMatchObject({
      status: 204,
    });
    await expect
      .poll(
        async () => {
          const { token } = await attest(verigo.url, sampleSource, createGuestKey());
          return (await verifyByDiscovery(token)).submods['cpu0']?.['ear.status'];
        },
        { timeout: 1000 },
      )
      .toBe('contraindicated');
  });
});
