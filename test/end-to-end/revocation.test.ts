import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFakeAmd, type FakeAmd } from '../fakes/fake-amd.ts';
import { type FakeKds, startFakeKds } from '../fakes/fake-amd-kds.ts';
import { createAdministrator } from '../harness/administrator.ts';
import { attest, createGuestKey, snpSource } from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let amd: FakeAmd;
let kds: FakeKds;
let verigo: RunningVerigo;

beforeAll(async () => {
  amd = await createFakeAmd({}, ['Milan']);
  kds = await startFakeKds(amd);
  verigo = await startVerigo({
    rootsPem: amd.pem('Milan'),
    config: { collateral: { revocation: 'required' }, verifiers: { snp: { kds_url: kds.url } } },
  });
});
afterAll(async () => {
  await verigo.close();
  await kds.close();
});

const importList = async (list: Uint8Array) => {
  const json = { items: [{ name: 'crl', body: Buffer.from(list).toString('base64') }] };
  return await send(verigo.url, '/api/v1/collateral/import', { json, token: await verigo.adminToken() });
};
const status = async () => (await attest(verigo.url, snpSource(amd), createGuestKey())).reply;

test('evidence without one cannot be checked, and may be sent again', async () => {
  kds.mood(500);
  const reply = await status();
  expect(reply).toMatchObject({ status: 503, code: 'REVOCATION_LIST_UNAVAILABLE' });
  expect(reply.headers.get('retry-after')).toBe('1');
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  expect(await administrator.decision(reply.decisionId)).toMatchObject({
    outcome: 'failed',
    code: 'REVOCATION_LIST_UNAVAILABLE',
  });
});

test('a list that was imported serves', async () => {
  expect((await importList(await amd.revocationList('Milan'))).status).toBe(200);
  expect((await status()).status).toBe(200);
});

test('an authority that the list names is refused from then on', async () => {
  const serial = amd.authority('Milan', 'vcek').certificate.serialNumber;
  const list = await amd.revocationList('Milan', { revoked: [serial], number: 9 });
  expect((await importList(list)).status).toBe(200);
  const reply = await status();
  expect({ status: reply.status, code: reply.code }, reply.text).toEqual({
    status: 401,
    code: 'CERTIFICATE_REVOKED',
  });
});
