import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FakeQuoteOptions } from '../fakes/fake-intel.ts';
import { type FakeIntelSite, filesOf } from '../fakes/fake-intel-site.ts';
import { createAdministrator } from '../harness/administrator.ts';
import {
  appraised,
  attest,
  createGuestKey,
  type EvidenceSource,
  getResource,
  openResource,
  replyTo,
  requestNonce,
} from '../harness/guest.ts';
import {
  base64,
  SGX_REFERENCE_VALUES,
  sgxSource,
  TDX_REFERENCE_VALUES,
  tdxSource,
} from '../harness/hardware-sources.ts';
import { send } from '../harness/http.ts';
import { ESTATE_NOW, type IntelEstate, startIntelEstate } from '../harness/intel-estate.ts';
import type { RunningVerigo } from '../harness/serve-verigo.ts';

const SECRET = 'the passphrase of a disk';
const RESOURCE = 'default/disk/passphrase';
const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n"policy.rego" = "package agent_policy"\n';
const initDataDigest = createHash('sha384').update(INIT_DATA).digest();

let estate: IntelEstate;
let site: FakeIntelSite;
let verigo: RunningVerigo;
/** Fetches nothing, and knows no reference values. */
let offline: RunningVerigo;

beforeAll(async () => {
  estate = await startIntelEstate();
  ({ site, verigo } = estate);
  offline = await estate.start('');
  await estate.administrator.putResource(RESOURCE, SECRET);
});
afterAll(async () => {
  await estate[Symbol.asyncDispose]();
});

/** Quotes of every form, of guests that were started with the init data. */
const forms: readonly (readonly [
  name: string,
  tee: 'tdx' | 'sgx',
  options: FakeQuoteOptions,
  claims: object,
])[] = [
  [
    'a TD quote of version 4',
    'tdx',
    { version: 4 },
    { quote: { header: { version: '0400', tee_type: '81000000' } } },
  ],
  [
    'a TD 1.0 quote of version 5',
    'tdx',
    { version: 5, body: 'td-1.0' },
    { quote: { header: { version: '0500' }, type: '0200' } },
  ],
  [
    'a TD 1.5 quote of version 5',
    'tdx',
    { version: 5 },
    { quote: { type: '0300', body: { mr_servicetd: '00'.repeat(48) } }, tcb_status_current: 'UpToDate' },
  ],
  ['an SGX quote', 'sgx', {}, { header: { version: '0300' }, isv_svn: 2, attributes: { debug: false } }],
];

function formSource(tee: 'tdx' | 'sgx', options: FakeQuoteOptions): EvidenceSource {
  return tee === 'tdx'
    ? tdxSource(site, { ...options, td: { mrConfigId: initDataDigest } })
    : sgxSource(site, { ...options, enclave: { configId: initDataDigest } });
}

describe('from challenge to secret', () => {
  test.each(forms)('%s', async (_name, tee, options, claims) => {
    const key = createGuestKey();
    const nonce = await requestNonce(verigo.url, tee);
    const source = formSource(tee, options);
    const attested = await appraised(verigo.url, source, { key, nonce, initData: INIT_DATA });
    const { status, appraisal, token } = attested;
    expect(status).toBe('affirming');
    expect(attested.claims).toMatchObject({
      ...claims,
      tcb_status: 'UpToDate',
      advisory_ids: [],
      collateral_expiration_status: '0',
      revocation_status: 'good',
      tcb_eval_num: 17,
      sgx_type: 'Scalable',
    });
    expect(appraisal['ear.veraison.annotated-evidence']).toMatchObject({
      init_data: initDataDigest.toString('hex').padEnd(tee === 'sgx' ? 128 : 96, '0'),
      init_data_claims: { 'policy.rego': 'package agent_policy' },
      runtime_data_claims: { nonce, 'tee-pubkey': key.publicJwk },
    });
    expect(decodeJwt(token)['eat_nonce']).toBe(nonce);
    const released = await getResource(verigo.url, RESOURCE, { token });
    expect(released.status, released.text).toBe(200);
    expect(await openResource(released, key)).toBe(SECRET);
  });

  test.each(['tdx', 'sgx'] as const)('%s that is bound to another request is refused', async (tee) => {
    const source = formSource(tee, {});
    const unbound = await source.evidence({ nonce: 'another' });
    const replayed = { tee, evidence: async () => unbound };
    expect(await replyTo(verigo.url, replayed)).toMatchObject({
      status: 401,
      code: 'REPORT_DATA_MISMATCH',
    });
    const initData = INIT_DATA.replace('agent_policy', 'other');
    const { reply } = await attest(verigo.url, source, createGuestKey(), { initData });
    expect(reply).toMatchObject({ status: 401, code: 'INIT_DATA_MISMATCH' });
  });

  test('all of it cost one request for each thing that Intel signs', () => {
    for (const each of ['tdx/certification/v4/tcb', 'sgx/certification/v4/tcb', 'ca=platform', 'rootcacrl'])
      expect(estate.pcs.count(each), each).toBe(1);
  });
});

describe('a guest that its host can look into', () => {
  test.each([
    ['a TD under debug', () => tdxSource(site, { td: { tdAttributes: 1n } }), 'td_attributes.debug'],
    [
      'a TD under profiling',
      () => tdxSource(site, { td: { tdAttributes: 0x20n } }),
      'td_attributes.perf_prof',
    ],
    [
      'a TD that may migrate',
      () => tdxSource(site, { td: { tdAttributes: 1n << 29n } }),
      'td_attributes.migratable',
    ],
    ['an enclave under debug', () => sgxSource(site, { enclave: { flags: 0x7n } }), 'attributes.debug'],
  ] as const)('%s is proven, and opens nothing', async (_what, source, claim) => {
    const { status, claims, token } = await appraised(verigo.url, source());
    expect(claims).toHaveProperty(claim, true);
    expect(status).not.toBe('affirming');
    expect(await getResource(verigo.url, RESOURCE, { token })).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });
});

describe('a server that fetches nothing', () => {
  const sources: readonly (readonly ['tdx' | 'sgx', () => EvidenceSource, typeof TDX_REFERENCE_VALUES])[] = [
    ['tdx', () => tdxSource(site, { version: 5 }), TDX_REFERENCE_VALUES],
    ['sgx', () => sgxSource(site), SGX_REFERENCE_VALUES],
  ];

  test.each(sources)('cannot check %s before anything is imported', async (_tee, source) => {
    expect(await replyTo(offline.url, source())).toMatchObject({
      status: 503,
      code: 'COLLATERAL_UNAVAILABLE',
    });
  });

  test('takes what Intel signed', async () => {
    const files = filesOf(await site.content(ESTATE_NOW));
    const items = [...files].map(([name, body]) => ({ name, body: base64(body) }));
    const json = { items };
    const token = await offline.adminToken();
    const reply = await send(offline.url, '/api/v1/collateral/import', { json, token });
    expect(reply.status, reply.text).toBe(200);
  });

  test.each(sources)(
    'then proves %s, and affirms what it has reference values for',
    async (_tee, source, values) => {
      const before = await appraised(offline.url, source());
      expect(before.claims).toMatchObject({ tcb_status: 'UpToDate', revocation_status: 'good' });
      expect(before.status).not.toBe('affirming');
      await createAdministrator(offline.url, await offline.adminToken()).setReferenceValues(values);
      expect((await appraised(offline.url, source())).status).toBe('affirming');
    },
  );
});
