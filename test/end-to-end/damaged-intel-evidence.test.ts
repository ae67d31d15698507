import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeAmd, type FakeAmd } from '../fakes/fake-amd.ts';
import { createFakeAzure, type FakeAzure } from '../fakes/fake-azure.ts';
import { createFakeIntelSite, type FakeIntelSite, filesOf } from '../fakes/fake-intel-site.ts';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { createFakeAk, type FakeKeyPair } from '../fakes/tpm-quote.ts';
import { type Administrator, createAdministrator } from '../harness/administrator.ts';
import { contentOf } from '../harness/database-content.ts';
import { bindingDigest, replyTo } from '../harness/guest.ts';
import { azSnpSource, azTdxSource, base64, sgxSource, tdxSource } from '../harness/hardware-sources.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { ESTATE_NOW } from '../harness/intel-estate.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import { digestOfKey, tpmEvidence } from '../server/verifiers/tpm/tpm-setup.ts';

const TEES = ['tdx', 'sgx', 'az-snp-vtpm', 'az-tdx-vtpm', 'tpm'] as const;
type DamagedTee = (typeof TEES)[number];
/** What every request here is bound to. */
const RUNTIME_DATA = { nonce: 'a nonce of the caller' };

let site: FakeIntelSite;
let amd: FakeAmd;
let azure: FakeAzure;
let ak: FakeKeyPair;
let database: TestDatabase;
let verigo: RunningVerigo;
let administrator: Administrator;
/** Genuine evidence of each kind. */
let genuine: Readonly<Record<DamagedTee, object>>;

beforeAll(async () => {
  [site, amd] = await Promise.all([createFakeIntelSite(), createFakeAmd({}, ['Milan'])]);
  [azure, ak] = [createFakeAzure(), createFakeAk()];
  database = await createTestDatabase();
  verigo = await startVerigo({
    clock: () => ESTATE_NOW,
    databaseUrl: database.url,
    rootsPem: `${site.rootPem}${amd.pem('Milan')}`,
    config: { verifiers: { tpm: { trusted_aks: [digestOfKey(ak.publicKey)] } } },
  });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  const items = [...filesOf(await site.content(ESTATE_NOW))].map(([name, body]) => ({
    name,
    body: base64(body),
  }));
  const imported = await send(verigo.url, '/api/v1/collateral/import', {
    json: { items },
    token: administrator.token,
  });
  expect(imported.status, imported.text).toBe(200);
  const sources = [tdxSource(site), sgxSource(site), azSnpSource(azure, amd), azTdxSource(azure, site)];
  const made = sources.map(async (source) => [source.tee, await source.evidence(RUNTIME_DATA)] as const);
  const tpm = tpmEvidence(ak, { extraData: bindingDigest(RUNTIME_DATA) });
  genuine = Object.fromEntries([...(await Promise.all(made)), ['tpm', tpm]]) as typeof genuine;
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
});

/** Evidence as a document, or as text that may be none. */
async function post(tee: string, evidence: object | string): Promise<HttpReply> {
  const text = typeof evidence === 'string' ? evidence : JSON.stringify(evidence);
  const request = {
    tee,
    evidence: Buffer.from(text).toString('base64url'),
    runtime_data: { structured: RUNTIME_DATA },
  };
  return await send(verigo.url, '/attestation', {
    json: { verification_requests: [request], policy_ids: [] },
  });
}

/** A refusal as every refusal has to be: 4xx, a problem with a code of ours, and nothing of the server's inside. */
function expectRefusal(reply: HttpReply, what: string): void {
  expect(reply.status, what).toBeGreaterThanOrEqual(400);
  expect(reply.status, what).toBeLessThan(500);
  expect(reply.headers.get('content-type'), what).toMatch(/^application\/problem\+json/);
  expect(reply.code, what).toMatch(/^[A-Z][A-Z0-9_]+$/);
  expect(reply.json(), what).toMatchObject({ status: reply.status, code: reply.code });
  expect(reply.text.length, what).toBeLessThan(2000);
  expect(reply.text, what).not.toMatch(/node:|\.ts\b|    at |\/server\//);
}

/** The document with the bytes of one of its base64 members changed. */
function withBytes(tee: DamagedTee, member: string, change: (bytes: Buffer) => Uint8Array): object {
  const document = genuine[tee] as Readonly<Record<string, string>>;
  const encoding = member === 'quote' ? 'base64' : 'base64url';
  const bytes = change(Buffer.from(document[member]!, encoding));
  return { ...document, [member]: Buffer.from(bytes).toString(encoding) };
}

test.each(TEES)('%s: what will be damaged below is genuine', async (tee) => {
  const reply = await post(tee, genuine[tee]);
  expect(reply.status, reply.text).toBe(200);
});

describe('a quote that is damaged on its way', () => {
  const quotes: readonly (readonly [tee: DamagedTee, member: string])[] = [
    ['tdx', 'quote'],
    ['sgx', 'quote'],
    ['az-tdx-vtpm', 'td_quote'],
    ['az-snp-vtpm', 'hcl_report'],
    ['az-tdx-vtpm', 'hcl_report'],
  ];
  test.each(quotes)('%s: %s, cut at any length, is refused', async (tee, member) => {
    const { byteLength } = Buffer.from((genuine[tee] as Record<string, string>)[member]!, 'base64url');
    // An HCL report ends in zeros, of which any number may be missing.
    const end = member === 'hcl_report' ? 0x4d4 : byteLength;
    const step = 293; // every length is tried with the parser itself; here, that the server says so each time
    for (let length = 0; length < end; length += step) {
      expectRefusal(
        await post(
          tee,
          withBytes(tee, member, (bytes) => bytes.subarray(0, length)),
        ),
        `${length} bytes`,
      );
    }
  });

  const signed: readonly (readonly [tee: DamagedTee, member: string, from: number, to: number])[] = [
    ['tdx', 'quote', 0, 48 + 584],
    ['sgx', 'quote', 0, 48 + 384],
    ['az-tdx-vtpm', 'td_quote', 0, 48 + 584],
    ['az-snp-vtpm', 'hcl_report', 0x20, 0x20 + 0x2a0],
  ];
  test.each(signed)('%s: %s with a flipped bit that is signed is refused', async (tee, member, from, to) => {
    const step = 23;
    for (let offset = from; offset < to; offset += step) {
      const damaged = withBytes(tee, member, (bytes) =>
        bytes.fill(bytes[offset]! ^ (1 << (offset % 8)), offset, offset + 1),
      );
      expectRefusal(await post(tee, damaged), `byte ${offset}`);
    }
  });

  test.each(['tdx', 'sgx'] as const)(
    '%s: a flipped bit of any signature, key or certificate is refused',
    async (tee) => {
      const start = 48 + (tee === 'tdx' ? 584 : 384) + 4;
      const { byteLength } = Buffer.from((genuine[tee] as Record<string, string>)['quote']!, 'base64');
      // Up to the middle of the leaf, whose lines may end in any white space but not in what the bit makes of it.
      for (let offset = start; offset < Math.min(byteLength, start + 1200); offset += 61) {
        const damaged = withBytes(tee, 'quote', (bytes) =>
          bytes.fill(bytes[offset]! ^ 0x10, offset, offset + 1),
        );
        expectRefusal(await post(tee, damaged), `byte ${offset}`);
      }
    },
  );
});

describe.each(TEES)('%s: documents that are none of its own', (tee) => {
  const hostile: readonly (readonly [what: string, text: string])[] = [
    ['nothing', ''],
    ['no JSON', '{"quote":'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '1e999'],
    ['an empty object', '{}'],
    [
      'members of other types',
      '{"quote":{},"tpm_quote":[],"hcl_report":1,"report":"","td_quote":null,"ak_public":[[]],"version":"2"}',
    ],
    [
      'empty members',
      '{"quote":"","tpm_quote":{"signature":"","message":"","pcrs":[]},"hcl_report":"","td_quote":"","ak_public":"","version":2}',
    ],
    ['a member twice', '{"quote":"AAAA","quote":"AAAA"}'],
    ['a member that JavaScript knows', '{"__proto__":{"quote":"AAAA"}}'],
    ['a version from the future', '{"version":3,"tpm_quote":{},"hcl_report":"","vcek":""}'],
    [
      'lists without end',
      `{"version":1,"tpm_quote":{"signature":"","message":"","pcrs":[${'"00",'.repeat(5000)}"00"]}}`,
    ],
    ['depth without end', '{"quote":'.repeat(2000) + '1' + '}'.repeat(2000)],
    ['a quote of zeros', JSON.stringify({ quote: base64(new Uint8Array(5000)) })],
    ['a quote of ones', JSON.stringify({ quote: base64(new Uint8Array(5000).fill(0xff)) })],
  ];

  test.each(hostile)('%s', async (what, text) => {
    expectRefusal(await post(tee, text), what);
  });

  test('genuine evidence of every other kind', async () => {
    for (const other of TEES.filter((each) => each !== tee)) {
      expectRefusal(await post(tee, genuine[other]), `${other} as ${tee}`);
    }
  });

  test('a mebibyte of it, or more', async () => {
    const mebibyte = 1 << 20;
    const members = ['quote', 'cc_eventlog', 'hcl_report', 'td_quote', 'vcek', 'ak_public', 'event_log'];
    for (const member of members) {
      // What is ignored is no harm; what is read has to be refused.
      const reply = await post(tee, { ...genuine[tee], [member]: 'A'.repeat(mebibyte) });
      if (member in genuine[tee]) expectRefusal(reply, member);
      expect(reply.status, member).toBeLessThan(500);
    }
    const tooLarge = await post(tee, { ...genuine[tee], padding: 'A'.repeat(mebibyte + 100_000) });
    expect(tooLarge).toMatchObject({ status: 413, code: 'EVIDENCE_TOO_LARGE' });
  });
});

test('nothing is left of it but denied decisions, and the server still answers', async () => {
  const before = await contentOf(database.db);
  const reply = await post(
    'tdx',
    withBytes('tdx', 'quote', (bytes) => bytes.subarray(0, 1000)),
  );
  expect(await administrator.decision(reply.decisionId)).toMatchObject({
    outcome: 'denied',
    code: reply.code,
    subject: 'tdx',
  });
  expect(await contentOf(database.db)).toEqual(before);
  const list = await send(verigo.url, '/api/v1/decisions?outcome=failed', { token: administrator.token });
  expect((list.json() as { items: unknown[] }).items).toEqual([]);
  expect((await replyTo(verigo.url, tdxSource(site, { version: 5 }))).status).toBe(200);
});
