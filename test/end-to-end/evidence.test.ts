import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createFakeAmd,
  type FakeAmd,
  type FakeEvidence,
  type FakeEvidenceOptions,
} from '../fakes/fake-amd.ts';
import { type FakeKds, startFakeKds } from '../fakes/fake-amd-kds.ts';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { type Administrator, createAdministrator } from '../harness/administrator.ts';
import { contentOf } from '../harness/database-content.ts';
import { attest, createGuestKey, snpSource, verificationRequest } from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const LINES = ['Milan', 'Genoa'] as const;

let amd: FakeAmd;
let kds: FakeKds;
let database: TestDatabase;
let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  amd = await createFakeAmd({}, LINES);
  kds = await startFakeKds(amd);
  database = await createTestDatabase();
  verigo = await startVerigo({ rootsPem: LINES.map(amd.pem.bind(amd)).join(''), databaseUrl: database.url });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
  await kds.close();
});

async function post(body: string | object): Promise<HttpReply> {
  const evidence = typeof body === 'string' ? body : JSON.stringify(body);
  const json = {
    verification_requests: [{ tee: 'snp', evidence: Buffer.from(evidence).toString('base64url') }],
    policy_ids: [],
  };
  return await send(verigo.url, '/attestation', { json });
}

async function broken(
  change: (evidence: FakeEvidence) => void,
  options?: FakeEvidenceOptions,
): Promise<HttpReply> {
  const evidence = structuredClone(await amd.evidence(options));
  change(evidence);
  return await post(evidence);
}

const nothing = (): void => undefined;
const certificate = (evidence: FakeEvidence): number[] => evidence.cert_chain![0]!.data;

describe('genuine evidence', () => {
  test.each(LINES)('of %s is accepted', async (product) => {
    expect((await broken(nothing, { product })).status).toBe(200);
    expect((await broken(nothing, { product, signingKey: 'vlek' })).status).toBe(200);
  });
});

describe('evidence that one thing is wrong with', () => {
  const expired = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
  const future = { notBefore: new Date('2049-01-01'), notAfter: new Date('2050-01-01') };
  test.each<readonly [string, string, (evidence: FakeEvidence) => void, FakeEvidenceOptions?]>([
    ['a certificate past its time', 'CERTIFICATE_EXPIRED', nothing, { certificate: expired }],
    ['a certificate before its time', 'CERTIFICATE_NOT_YET_VALID', nothing, { certificate: future }],
    [
      "another chip's certificate",
      'CHIP_ID_MISMATCH',
      nothing,
      { certificate: { hardwareId: new Uint8Array(64).fill(9) } },
    ],
    [
      'a certificate of another TCB',
      'TCB_MISMATCH',
      nothing,
      { certificate: { tcb: { fmc: null, bootloader: 3, tee: 0, snp: 8, microcode: 114 } } },
    ],
    [
      "another product's report",
      'CHAIN_UNTRUSTED',
      (evidence) => {
        evidence.attestation_report.cpuid_mod_id = 0x11;
      },
    ],
    [
      'no certificate',
      'COLLATERAL_UNAVAILABLE',
      (evidence) => {
        evidence.cert_chain = null;
      },
    ],
    [
      'a certificate for another product',
      'PRODUCT_MISMATCH',
      nothing,
      { certificate: { productName: 'Genoa-B0' } },
    ],
    [
      'a certificate with a bit changed',
      'CHAIN_UNTRUSTED',
      (evidence) => {
        certificate(evidence)[certificate(evidence).length - 20]! ^= 1;
      },
    ],
    [
      'a certificate cut short',
      'CERTIFICATE_MALFORMED',
      (evidence) => {
        evidence.cert_chain![0]!.data = certificate(evidence).slice(0, -1);
      },
    ],
    [
      'a certificate with more behind it',
      'CERTIFICATE_MALFORMED',
      (evidence) => {
        certificate(evidence).push(0);
      },
    ],
    [
      'an unknown version',
      'REPORT_VERSION_UNSUPPORTED',
      (evidence) => {
        evidence.attestation_report.version = 99;
      },
    ],
    [
      'an unknown algorithm',
      'SIGNATURE_ALGORITHM_UNSUPPORTED',
      (evidence) => {
        evidence.attestation_report.sig_algo = 2;
      },
    ],
    [
      'another measurement',
      'SIGNATURE_INVALID',
      (evidence) => {
        evidence.attestation_report.measurement = evidence.attestation_report.measurement.map(() => 1);
      },
    ],
    [
      'another nonce',
      'SIGNATURE_INVALID',
      (evidence) => {
        evidence.attestation_report.report_data = evidence.attestation_report.report_data.map(() => 1);
      },
    ],
    [
      'another privilege level',
      'SIGNATURE_INVALID',
      (evidence) => {
        evidence.attestation_report.vmpl = 1;
      },
    ],
    [
      'reserved bits of the guest policy',
      'GUEST_POLICY_MALFORMED',
      (evidence) => {
        evidence.attestation_report.policy = 2 ** 40 + 0x3_0000;
      },
    ],
    [
      'the guest policy without its fixed bit',
      'GUEST_POLICY_MALFORMED',
      (evidence) => {
        evidence.attestation_report.policy = 0x1_0000;
      },
    ],
    [
      'a signature of zeros',
      'SIGNATURE_MALFORMED',
      (evidence) => {
        evidence.attestation_report.signature = {
          r: Array.from({ length: 72 }, () => 0),
          s: Array.from({ length: 72 }, () => 0),
        };
      },
    ],
    ['a report signed at another level', 'VMPL_NOT_ALLOWED', nothing, { overrides: { vmpl: 2 } }],
  ])('%s: %s', async (_what, code, change, options) => {
    const before = await contentOf(database.db);
    const reply = await broken(change, options);
    expect(reply.code, reply.text).toBe(code);
    expect(reply.status).toBe(code === 'COLLATERAL_UNAVAILABLE' ? 503 : reply.status);
    expect([400, 401, 422, 503]).toContain(reply.status);
    expect(await administrator.decision(reply.decisionId)).toMatchObject({ code, subject: 'snp' });
    expect(await contentOf(database.db)).toEqual(before);
  });

  test('two certificates for its key are refused: one of them may have been slipped in', async () => {
    const [one, other] = [await amd.evidence(), await amd.evidence()]; // signed anew, so of other bytes
    const evidence = { ...one, cert_chain: [...one.cert_chain!, ...other.cert_chain!] };
    expect(await post(evidence)).toMatchObject({ status: 401, code: 'ENDORSEMENT_KEY_AMBIGUOUS' });
  });

  test("a chain of another vendor's making is refused", async () => {
    const impostor = await createFakeAmd({}, ['Milan']);
    expect(await post(await impostor.evidence())).toMatchObject({ status: 401, code: 'CHAIN_UNTRUSTED' });
  });

  test('evidence of another TEE under this name is refused, and the reverse', async () => {
    expect(await post({ svn: '1', report_data: '' })).toMatchObject({
      status: 400,
      code: 'EVIDENCE_MALFORMED',
    });
    const json = {
      verification_requests: [verificationRequest('sample', await amd.evidence())],
      policy_ids: [],
    };
    expect(await send(verigo.url, '/attestation', { json })).toMatchObject({
      status: 400,
      code: 'SAMPLE_EVIDENCE_INVALID',
    });
  });

  test('evidence that is bound to another key or nonce is refused', async () => {
    const foreign = await amd.evidence({ reportData: new Uint8Array(48).fill(7) });
    const source = { tee: 'snp', evidence: async () => foreign };
    expect((await attest(verigo.url, source, createGuestKey())).reply).toMatchObject({
      status: 401,
      code: 'REPORT_DATA_MISMATCH',
    });
    const unbound = await amd.evidence();
    expect(
      (await attest(verigo.url, { tee: 'snp', evidence: async () => unbound }, createGuestKey())).reply,
    ).toMatchObject({ code: 'REPORT_DATA_MISMATCH' });
  });

  test('evidence for other init data is refused', async () => {
    const init_data = { init_data_toml: 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a" = "b"\n' };
    const request = { ...verificationRequest('snp', await amd.evidence()), init_data };
    const json = { verification_requests: [request], policy_ids: [] };
    expect(await send(verigo.url, '/attestation', { json })).toMatchObject({
      status: 401,
      code: 'INIT_DATA_MISMATCH',
    });
  });
});

describe('evidence that is damaged on its way', () => {
  test('cut at any length, the document is refused', async () => {
    const whole = JSON.stringify(await amd.evidence());
    const step = 97; // every length is tried with the parser itself; here, that the server says so each time
    for (let length = 0; length < whole.length; length += step) {
      const reply = await post(whole.slice(0, length));
      expect({ status: reply.status, code: reply.code }, String(length)).toEqual({
        status: 400,
        code: 'JSON_MALFORMED',
      });
    }
  });

  test.each(['report_data', 'measurement', 'chip_id', 'host_data', 'id_key_digest', 'report_id'] as const)(
    '%s cut or padded is refused',
    async (field) => {
      for (const change of [
        (bytes: readonly number[]) => bytes.slice(1),
        (bytes: readonly number[]) => [...bytes, 0],
        () => [],
      ]) {
        const reply = await broken(({ attestation_report: report }) => {
          report[field] = change(report[field]);
        });
        expect(reply).toMatchObject({ status: 400, code: 'EVIDENCE_MALFORMED' });
      }
    },
  );

  test.each([
    'report_data',
    'measurement',
    'host_data',
    'id_key_digest',
    'author_key_digest',
    'family_id',
    'image_id',
    'report_id',
    'chip_id',
  ] as const)('a bit of %s changed is refused', async (field) => {
    for (const bit of [0, 3, 7]) {
      const reply = await broken(({ attestation_report: report }) => {
        report[field] = report[field].map((byte, index) => (index === 5 ? byte ^ (1 << bit) : byte));
      });
      expect(reply.status).toBe(401);
      expect(['SIGNATURE_INVALID', 'CHIP_ID_MISMATCH']).toContain(reply.code);
    }
  });

  test('any byte of the signature changed is refused', async () => {
    for (let index = 0; index < 72; index += 5) {
      const reply = await broken(({ attestation_report: { signature } }) => {
        (signature.r as number[])[index]! ^= 0x10;
      });
      expect(reply.status, String(index)).toBe(401);
      expect(['SIGNATURE_INVALID', 'SIGNATURE_MALFORMED']).toContain(reply.code);
    }
  });

  test.each([
    ['no object', '[]'],
    ['null', 'null'],
    ['a number', '1'],
    ['an empty object', '{}'],
    ['numbers that are no bytes', '{"attestation_report":{"report_data":[256,-1,1.5]},"cert_chain":[]}'],
    [
      'an endless list of certificates',
      JSON.stringify({
        attestation_report: {},
        cert_chain: Array.from({ length: 10_000 }, () => ({ cert_type: 'VCEK', data: [] })),
      }),
    ],
  ])('%s is refused', async (_what, text) => {
    expect(await post(text)).toMatchObject({ status: 400, code: 'EVIDENCE_MALFORMED' });
  });
});

describe('where revocation lists are required', () => {
  let strict: RunningVerigo;

  beforeAll(async () => {
    strict = await startVerigo({
      rootsPem: LINES.map(amd.pem.bind(amd)).join(''),
      config: { collateral: { revocation: 'required' }, verifiers: { snp: { kds_url: kds.url } } },
    });
  });
  afterAll(async () => {
    await strict.close();
  });

  const importList = async (list: Uint8Array) => {
    const json = { items: [{ name: 'crl', body: Buffer.from(list).toString('base64') }] };
    return await send(strict.url, '/api/v1/collateral/import', { json, token: await strict.adminToken() });
  };
  const status = async () => (await attest(strict.url, snpSource(amd), createGuestKey())).reply;

  test('evidence without one cannot be checked, and may be sent again', async () => {
    kds.mood(500);
    const reply = await status();
    expect(reply).toMatchObject({ status: 503, code: 'REVOCATION_LIST_UNAVAILABLE' });
    expect(reply.headers.get('retry-after')).toBe('1');
    const { token } = { token: await strict.adminToken() };
    expect(await createAdministrator(strict.url, token).decision(reply.decisionId)).toMatchObject({
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
});
