import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createFakeAmd,
  type FakeAmd,
  type FakeEvidence,
  type FakeEvidenceOptions,
} from '../fakes/fake-amd.ts';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { type Administrator, createAdministrator } from '../harness/administrator.ts';
import { contentOf } from '../harness/database-content.ts';
import { attest, createGuestKey, postEvidence, verificationRequest } from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const LINES = ['Milan', 'Genoa'] as const;

let amd: FakeAmd;
let database: TestDatabase;
let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  amd = await createFakeAmd({}, LINES);
  database = await createTestDatabase();
  verigo = await startVerigo({ rootsPem: LINES.map(amd.pem.bind(amd)).join(''), databaseUrl: database.url });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
});

async function broken(
  change: (evidence: FakeEvidence) => void,
  options?: FakeEvidenceOptions,
): Promise<HttpReply> {
  const evidence = structuredClone(await amd.evidence(options));
  change(evidence);
  return await postEvidence(verigo.url, 'snp', evidence);
}

const nothing = (): void => undefined;
const certificate = (evidence: FakeEvidence): number[] => evidence.cert_chain![0]!.data;

describe('genuine evidence', () => {
  test.each(LINES)('of %s is accepted', async (product) => {
    expect((await broken(nothing, { product })).status).toBe(200);
    expect((await broken(nothing, { product, signingKey: 'vlek' })).status).toBe(200);
  });
});

/** What is wrong, how it is refused, and how it came to be: afterwards, or before the chip signed. */
type BrokenEvidence = readonly [
  what: string,
  code: string,
  change: (evidence: FakeEvidence) => void,
  options?: FakeEvidenceOptions,
];

describe('evidence that one thing is wrong with', () => {
  const expired = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
  const future = { notBefore: new Date('2049-01-01'), notAfter: new Date('2050-01-01') };
  const changed: readonly BrokenEvidence[] = [
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
  ];

  const cases = changed.map(([what, code, change, options]) => [what, code, { change, options }] as const);
  test.each(cases)('%s: %s', async (_what, code, { change, options }) => {
    const before = await contentOf(database.db);
    const reply = await broken(change, options);
    expect(reply.code, reply.text).toBe(code);
    expect(code === 'COLLATERAL_UNAVAILABLE' ? [503] : [400, 401, 422]).toContain(reply.status);
    expect(await administrator.decision(reply.decisionId)).toMatchObject({ code, subject: 'snp' });
    expect(await contentOf(database.db)).toEqual(before);
  });

  test('two certificates for its key are refused: one of them may have been slipped in', async () => {
    const [one, other] = [await amd.evidence(), await amd.evidence()]; // signed anew, so of other bytes
    const evidence = { ...one, cert_chain: [...one.cert_chain!, ...other.cert_chain!] };
    expect(await postEvidence(verigo.url, 'snp', evidence)).toMatchObject({
      status: 401,
      code: 'ENDORSEMENT_KEY_AMBIGUOUS',
    });
  });

  test("a chain of another vendor's making is refused", async () => {
    const impostor = await createFakeAmd({}, ['Milan']);
    expect(await postEvidence(verigo.url, 'snp', await impostor.evidence())).toMatchObject({
      status: 401,
      code: 'CHAIN_UNTRUSTED',
    });
  });

  test('evidence of another TEE under this name is refused, and the reverse', async () => {
    expect(await postEvidence(verigo.url, 'snp', { svn: '1', report_data: '' })).toMatchObject({
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
