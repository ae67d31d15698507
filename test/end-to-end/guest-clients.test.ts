import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenService, type TokenSource } from '../../agent/attestation-agent/tokens/token-service.ts';
import { fetchPassport } from '../../agent/attestation-service-client/passport.ts';
import { parseBoundToken } from '../../agent/binding/bound-token-text.ts';
import { createClient } from '../../agent/client.ts';
import { attestByHandshake } from '../../agent/kbs-client/handshake.ts';
import { createGetResource } from '../../agent/kbs-client/resource-servers.ts';
import { resourceUriOfPath } from '../../agent/resource-uri.ts';
import { TEE_KEY_ALGORITHMS } from '../../agent/tee-key/tee-key.ts';
import type { JsonObject } from '../../server/claims/claims.ts';
import { fakeGuest, plainServer, sampleDevices } from '../fakes/fake-guest.ts';
import { type Administrator, createAdministrator } from '../harness/administrator.ts';
import { type Appraisal, appraisalIn } from '../harness/guest.ts';
import { resourcePolicy } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/disk/passphrase';
const SECRET = 'the passphrase of a disk';
const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n';

let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  verigo = await startVerigo();
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, SECRET);
  await administrator.postResourcePolicy(resourcePolicy(true));
});
afterAll(async () => {
  await verigo.close();
});

function service(kind: TokenSource, guest = fakeGuest()): ReturnType<typeof createTokenService> {
  const server = plainServer(verigo.url);
  return createTokenService({
    guest,
    attestationServices: new Map([['default', { server }]]),
    resourceServers: new Map([['', { server, tokenSource: kind }]]),
  });
}

const sources: readonly TokenSource[] = [
  { kind: 'background-check' },
  { kind: 'passport', attestationService: 'default' },
];

describe.each(sources)('a guest that gets its token by $kind', (source) => {
  test.each(TEE_KEY_ALGORITHMS)('gets a resource with a TEE key for %s', async (teeKeyAlgorithm) => {
    const obtain = service(source, fakeGuest({ teeKeyAlgorithm })).credentialsFor('');
    const getResource = createGetResource(new Map([['', { server: plainServer(verigo.url), obtain }]]));
    expect(Buffer.from(await getResource(`kbs:///${RESOURCE}`)).toString()).toBe(SECRET);
  });

  test('is told once and for all that the policy denies, and that nothing is there', async () => {
    const obtain = service(source).credentialsFor('');
    const getResource = createGetResource(new Map([['', { server: plainServer(verigo.url), obtain }]]));
    await expect(getResource('kbs:///default/disk/other')).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
    await expect(getResource('kbs+pkcs11:///default/disk/other')).rejects.toMatchObject({
      code: 'PLUGIN_NOT_FOUND',
    });
    await administrator.postResourcePolicy(resourcePolicy(false));
    try {
      await expect(getResource(`kbs:///${RESOURCE}`)).rejects.toMatchObject({
        code: 'POLICY_DENIED',
        statement: { status: 401, serverCode: 'POLICY_DENIED', decisionId: expect.any(String) as string },
      });
    } finally {
      await administrator.postResourcePolicy(resourcePolicy(true));
    }
  });

  test('hands on token and key, with which another process opens the same (A1)', async () => {
    const bound = await parseBoundToken(await service(source).getToken('kbs'), {
      at: new Date(),
      skewSeconds: 60,
    });
    const client = createClient({ resourceServer: verigo.url });
    expect(Buffer.from(await client.resource(`kbs:///${RESOURCE}`, bound)).toString()).toBe(SECRET);
  });
});

describe('what a token says, whichever way it came', () => {
  test('passport and background check show the same claims: nonce, key, devices, init data', async () => {
    const guest = fakeGuest({ devices: sampleDevices, initDataToml: INIT_DATA });
    const server = plainServer(verigo.url);
    const passport = await fetchPassport(guest, { server });
    const { token: background } = await attestByHandshake(guest, { server });
    for (const { token, key } of [passport, background]) {
      const { submods, cnf } = decodeJwt<{ submods: Record<string, Appraisal>; cnf: { jwk: JsonObject } }>(
        token,
      );
      expect(Object.keys(submods)).toEqual(['cpu0', 'gpu0']);
      expect(cnf.jwk).toEqual(key.publicJwk);
      const evidence = appraisalIn(token)['ear.veraison.annotated-evidence'];
      expect(evidence['runtime_data_claims']).toMatchObject({ 'tee-pubkey': key.publicJwk });
      expect(evidence).toHaveProperty('init_data_claims');
    }
  });

  test('the nonce is the service’s own, so that the evidence is proven fresh', async () => {
    const { token } = await fetchPassport(fakeGuest(), { server: plainServer(verigo.url) });
    expect(decodeJwt(token)).toHaveProperty('eat_nonce');
  });
});

test('50 callers cost one attestation, and the token then serves without the service (A2, C2)', async () => {
  let asked = 0;
  const guest = fakeGuest();
  const provider = {
    ...guest.provider,
    evidence: async (reportData: Uint8Array) => {
      asked++;
      return await guest.provider.evidence(reportData);
    },
  };
  const tokens = service({ kind: 'passport', attestationService: 'default' }, { ...guest, provider });
  const answers = await Promise.all(Array.from({ length: 50 }, async () => await tokens.getToken('coco_as')));
  expect(new Set(answers).size).toBe(1);
  expect((JSON.parse(await tokens.getToken('coco_as_bound')) as { token: string }).token).toBe(answers[0]);
  expect((JSON.parse(await tokens.getToken('kbs')) as { token: string }).token).toBe(answers[0]);
  expect(asked).toBe(1);
});

test.each(sources)('a token that the server finds expired is renewed once ($kind, K8)', async (source) => {
  let now = Date.now();
  const later = await startVerigo({ clock: () => new Date(now) });
  try {
    const admin = createAdministrator(later.url, await later.adminToken());
    await admin.putResource(RESOURCE, SECRET);
    await admin.postResourcePolicy(resourcePolicy(true));
    const server = plainServer(later.url);
    const tokens = createTokenService({
      guest: fakeGuest({ skewSeconds: 7200 }), // its own clock stands still beside the server's
      attestationServices: new Map([['default', { server }]]),
      resourceServers: new Map([['', { server, tokenSource: source }]]),
    });
    const getResource = createGetResource(new Map([['', { server, obtain: tokens.credentialsFor('') }]]));
    await getResource(`kbs:///${RESOURCE}`);
    const before = await tokens.getToken('kbs');
    now += 3_600_000;
    expect(await tokens.getToken('kbs')).toBe(before);
    expect(Buffer.from(await getResource(`kbs:///${RESOURCE}`)).toString()).toBe(SECRET);
    expect(await tokens.getToken('kbs')).not.toBe(before);
  } finally {
    await later.close();
  }
});

describe('the client for any program', () => {
  test('from nonce to secret by the runtime’s own fetch', async () => {
    const client = createClient({ attestationService: verigo.url, resourceServer: `${verigo.url}/` });
    const token = await client.token(fakeGuest().provider, { initDataToml: INIT_DATA });
    expect(Buffer.from(await client.resource(`kbs:///${RESOURCE}`, token)).toString()).toBe(SECRET);
  });

  test('evidence that is there already is exchanged for a token', async () => {
    const client = createClient({ attestationService: verigo.url });
    expect(await client.challenge('sample')).not.toBe('');
    const token = await client.attest({ tee: 'sample', evidence: { svn: '1', report_data: '' } });
    expect(appraisalIn(token)['ear.verigo.simulated']).toBe(true);
    await expect(client.attest({ tee: 'sample', evidence: { svn: 1 } })).rejects.toMatchObject({
      code: 'ATTESTATION_REFUSED',
      statement: { serverCode: 'SAMPLE_EVIDENCE_INVALID' },
    });
  });

  test('says which of its servers it was not told', async () => {
    await expect(createClient({}).challenge('sample')).rejects.toMatchObject({
      code: 'SERVER_NOT_CONFIGURED',
    });
  });
});

test('a bare path with a leading slash reaches the same resource (K5)', () => {
  expect(resourceUriOfPath(`/${RESOURCE}`)).toEqual(resourceUriOfPath(RESOURCE));
});
