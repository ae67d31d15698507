import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createFakeIntel } from '../fakes/fake-intel.ts';
import type { FakePckOptions } from '../fakes/fake-intel-certificates.ts';
import { type FakeIntelSite, type FakeSiteChanges, filesOf } from '../fakes/fake-intel-site.ts';
import { type FakePcs, type FakePcsContent, type FakePcsMood, startFakePcs } from '../fakes/fake-pcs.ts';
import { createTestDatabase } from '../fakes/test-database.ts';
import { createAdministrator } from '../harness/administrator.ts';
import { appraised, type EvidenceSource, replyTo } from '../harness/guest.ts';
import { base64, sgxSource, TDX_REFERENCE_VALUES, tdxSource } from '../harness/hardware-sources.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { ESTATE_NOW, type IntelEstate, startIntelEstate } from '../harness/intel-estate.ts';
import type { RunningVerigo } from '../harness/serve-verigo.ts';

const A_DAY_MS = 86_400_000;
const UNAVAILABLE = { status: 503, code: 'COLLATERAL_UNAVAILABLE' };
const inDays = (days: number): Date => new Date(ESTATE_NOW.getTime() + days * A_DAY_MS);

let estate: IntelEstate;
let site: FakeIntelSite;
let pcs: FakePcs;
let now = ESTATE_NOW;

beforeAll(async () => {
  estate = await startIntelEstate({ clock: () => now });
  ({ site, pcs } = estate);
});
beforeEach(() => {
  now = ESTATE_NOW;
});
afterAll(async () => {
  await estate[Symbol.asyncDispose]();
});

/** A quote of a machine that is up to date, unless said otherwise. */
async function machine(options: FakePckOptions = {}): Promise<EvidenceSource> {
  return tdxSource(site, { pck: await site.platform('UpToDate', options) });
}

/** A service with other content, for a server of its own. */
async function withContent(
  content: FakePcsContent,
  use: (verigo: RunningVerigo, own: FakePcs) => Promise<void>,
  collateral = {},
): Promise<void> {
  const own = await startFakePcs(content);
  const verigo = await estate.start(own.url, { clock: () => now, collateral });
  try {
    await use(verigo, own);
  } finally {
    await verigo.close();
    await own.close();
  }
}

async function importInto(verigo: RunningVerigo, files: ReadonlyMap<string, Uint8Array>): Promise<HttpReply> {
  const json = { items: [...files].map(([name, body]) => ({ name, body: base64(body) })) };
  return await send(verigo.url, '/api/v1/collateral/import', { json, token: await verigo.adminToken() });
}

describe('a service that does not answer as it should', () => {
  const moods: readonly FakePcsMood[] = [404, 503, 'hangs-up', 'garbage', 'bad-chain'];

  test.each(moods.map((mood, index) => [mood, `0000000000A${index}`] as const))(
    '(%s) leaves evidence unchecked, and heals',
    async (mood, fmspc) => {
      const { tcbInfos } = await site.content(ESTATE_NOW, { fmspc });
      const { tcbInfos: usual, ...rest } = await site.content(ESTATE_NOW);
      pcs.content({ ...rest, tcbInfos: { ...usual, ...tcbInfos } });
      pcs.moodOf(fmspc, mood);
      const source = await machine({ fmspc });
      const reply = await replyTo(estate.verigo.url, source);
      expect(reply).toMatchObject(UNAVAILABLE);
      expect(reply.headers.get('retry-after')).toBe('1');
      expect(await estate.administrator.decision(reply.decisionId)).toMatchObject({
        outcome: 'failed',
        code: 'COLLATERAL_UNAVAILABLE',
        subject: 'tdx',
      });
      const asked = pcs.count(fmspc);
      expect(await replyTo(estate.verigo.url, source)).toMatchObject(UNAVAILABLE);
      expect(pcs.count(fmspc), 'a failure is not asked about again at once').toBe(asked);

      pcs.moodOf(fmspc, 'well');
      now = new Date(now.getTime() + 600_000);
      expect(await appraised(estate.verigo.url, source)).toMatchObject({ status: 'affirming' });
    },
  );

  test('where revocation lists are not required, the token says that there were none', async () => {
    const content = { ...(await site.content(ESTATE_NOW)), revocationLists: {} };
    const use = async ({ url }: RunningVerigo): Promise<void> => {
      const { claims } = await appraised(url, await machine());
      expect(claims).toMatchObject({ revocation_status: 'not-checked', tcb_status: 'UpToDate' });
      expect(claims).not.toHaveProperty('pck_crl_num');
    };
    await withContent(content, use, { revocation: 'when-available' });
  });
});

describe('documents that are not what they should be', () => {
  interface WrongDocument {
    readonly what: string;
    readonly code: string;
    readonly status?: number;
    readonly changes?: () => Promise<FakeSiteChanges>;
    /** What becomes of its text after it was signed. */
    readonly text?: (body: string) => string;
  }
  const cases: readonly WrongDocument[] = [
    {
      what: 'altered by one digit',
      code: 'COLLATERAL_FORGED',
      text: (body) => body.replace('"svn":8', '"svn":0'),
    },
    {
      what: 'signed by somebody else',
      code: 'COLLATERAL_FORGED',
      changes: async () => ({ signer: await createFakeIntel() }),
    },
    {
      what: 'of other machines',
      ...UNAVAILABLE,
      text: (body) => body.replace(/"fmspc":"\w+"/, '"fmspc":"50806F000000"'),
    },
    { what: 'for SGX', ...UNAVAILABLE, changes: async () => ({ tdxTcbInfo: { id: 'SGX' } }) },
    {
      what: 'for another PCE',
      code: 'TCB_INFO_MISMATCH',
      changes: async () => ({ tdxTcbInfo: { pceId: '0001' } }),
    },
    {
      what: 'of a version that is to come',
      code: 'TCB_INFO_VERSION_UNSUPPORTED',
      status: 422,
      changes: async () => ({ tdxTcbInfo: { version: 4 } }),
    },
    {
      what: 'without levels',
      code: 'COLLATERAL_MALFORMED',
      changes: async () => ({ tdxTcbInfo: { tcbLevels: [] } }),
    },
    {
      what: 'past its time',
      code: 'COLLATERAL_EXPIRED',
      status: 503,
      changes: async () => ({ tdxTcbInfo: { nextUpdate: '2026-06-01T11:00:00Z' } }),
    },
    {
      what: 'before its time',
      ...UNAVAILABLE,
      changes: async () => ({ tdxTcbInfo: { issueDate: '2026-06-01T13:00:00Z' } }),
    },
  ];
  test.each(cases.map((each, index) => ({ ...each, fmspc: `0000000000B${index}` })))(
    'a TCB info $what: $code',
    async ({ code, status = 401, fmspc, changes, text = (body: string) => body }) => {
      const { tcbInfos = {} } = await site.content(ESTATE_NOW, { fmspc, ...(await changes?.()) });
      const broken = Object.entries(tcbInfos).map(([key, body]) => [key, text(body)] as const);
      pcs.content({ ...(await site.content(ESTATE_NOW)), tcbInfos: Object.fromEntries(broken) });
      const reply = await replyTo(estate.verigo.url, await machine({ fmspc }));
      expect({ status: reply.status, code: reply.code }, reply.text).toEqual({ status, code });
    },
  );

  test('identities of the other quoting enclave, and lists of the other authority, serve nobody', async () => {
    const { qeIdentities = {}, revocationLists: lists = {}, ...rest } = await site.content(ESTATE_NOW);
    const swapped = { tdx: qeIdentities['sgx']!, sgx: qeIdentities['tdx']! };
    await withContent({ ...rest, qeIdentities: swapped, revocationLists: lists }, async ({ url }) => {
      expect(await replyTo(url, await machine())).toMatchObject(UNAVAILABLE);
      expect(await replyTo(url, sgxSource(site))).toMatchObject(UNAVAILABLE);
    });
    const others = { platform: lists['processor']!, processor: lists['platform']!, root: lists['root']! };
    await withContent({ ...rest, qeIdentities, revocationLists: others }, async ({ url }) => {
      expect(await replyTo(url, await machine())).toMatchObject({
        status: 503,
        code: 'REVOCATION_LIST_UNAVAILABLE',
      });
    });
  });
});

test('who is revoked is refused from the moment that the list is imported', async () => {
  await withContent(await site.content(ESTATE_NOW), async (verigo) => {
    const [bad, good] = [await machine({ serial: '66' }), await machine({ serial: '67' })];
    expect((await replyTo(verigo.url, bad)).status).toBe(200);
    const dates = { thisUpdate: ESTATE_NOW, nextUpdate: inDays(30) };
    const importList = async (list: Uint8Array): Promise<void> => {
      expect((await importInto(verigo, new Map([['crl.der', list]]))).status).toBe(200);
    };
    await importList(await site.intel.pckCrl('platform', { revoked: ['66'], number: 2, ...dates }));
    expect(await replyTo(verigo.url, bad)).toMatchObject({ status: 401, code: 'PCK_REVOKED' });
    expect((await replyTo(verigo.url, good)).status).toBe(200);
    for (const [number, serial, code] of [
      [2, '2202', 'PCK_AUTHORITY_REVOKED'],
      [3, '2204', 'TCB_SIGNER_REVOKED'],
    ] as const) {
      await importList(await site.intel.rootCrl({ revoked: [serial], number, ...dates }));
      const reply = await replyTo(verigo.url, good);
      expect(reply).toMatchObject({ status: 401, code });
      const administrator = createAdministrator(verigo.url, await verigo.adminToken());
      expect(await administrator.decision(reply.decisionId)).toMatchObject({ outcome: 'denied', code });
    }
  });
});

describe('collateral past its time', () => {
  test('serves no more while there is no newer, and heals when there is', async () => {
    await withContent(await site.content(ESTATE_NOW), async ({ url }, own) => {
      expect((await replyTo(url, await machine())).status).toBe(200);
      now = inDays(31);
      const reply = await replyTo(url, await machine());
      expect(reply).toMatchObject({ status: 503, code: 'COLLATERAL_EXPIRED' });
      own.content(await site.content(now));
      now = inDays(32);
      expect((await appraised(url, await machine())).claims).toMatchObject({
        collateral_expiration_status: '0',
      });
    });
  });

  test('serves a while longer where that is configured, says so, and is not affirmed', async () => {
    const use = async (verigo: RunningVerigo): Promise<void> => {
      const administrator = createAdministrator(verigo.url, await verigo.adminToken());
      await administrator.setReferenceValues(TDX_REFERENCE_VALUES);
      expect(await appraised(verigo.url, await machine())).toMatchObject({ status: 'affirming' });
      now = inDays(31);
      const stale = await appraised(verigo.url, await machine());
      expect(stale.claims).toMatchObject({ collateral_expiration_status: '1', revocation_status: 'stale' });
      expect(stale.status).not.toBe('affirming');
      now = inDays(33);
      expect(await replyTo(verigo.url, await machine())).toMatchObject({
        status: 503,
        code: 'COLLATERAL_EXPIRED',
      });
    };
    await withContent(await site.content(ESTATE_NOW), use, { max_stale_seconds: 2 * 86_400 });
  });
});

test('what one of two servers on one database fetched, the other does not', async () => {
  const database = await createTestDatabase();
  const own = await startFakePcs(await site.content(ESTATE_NOW));
  const shared = { databaseUrl: database.url, masterKey: randomBytes(32).toString('hex'), clock: () => now };
  const one = await estate.start(own.url, shared);
  const other = await estate.start(own.url, shared);
  expect((await replyTo(one.url, await machine())).status).toBe(200);
  const asked = own.requests.length;
  expect(asked).toBe(4);
  expect((await replyTo(other.url, await machine())).status).toBe(200);
  expect(own.requests.length).toBe(asked);
  await Promise.all([one.close(), other.close()]);
  await own.close();
  await database.drop();
});

test('an imported TCB info that Intel did not sign makes no token, and goes with the next that it did', async () => {
  const verigo = await estate.start('');
  expect((await importInto(verigo, filesOf(await site.content(ESTATE_NOW)))).status).toBe(200);
  expect((await replyTo(verigo.url, await machine())).status).toBe(200);
  const forged = await site.content(new Date(ESTATE_NOW.getTime() + 3_600_000), {
    signer: await createFakeIntel(),
  });
  expect((await importInto(verigo, filesOf(forged))).status).toBe(200);
  for (const source of [await machine(), sgxSource(site)]) {
    expect(await replyTo(verigo.url, source)).toMatchObject({ status: 401, code: 'COLLATERAL_FORGED' });
  }
  const genuine = await site.content(new Date(ESTATE_NOW.getTime() + 7_200_000));
  expect((await importInto(verigo, filesOf(genuine))).status).toBe(200);
  expect((await replyTo(verigo.url, await machine())).status).toBe(200);
});
