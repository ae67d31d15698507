import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import type { AzureEvidenceVersion } from '../../../../server/tpm/azure-evidence.ts';
import {
  createAzSnpVtpmVerifier,
  type ProveSnpReport,
} from '../../../../server/verifiers/az-snp-vtpm/az-snp-vtpm-verifier.ts';
import { createSnpProver } from '../../../../server/verifiers/snp/snp-prover.ts';
import type { ExpectedBinding } from '../../../../server/verifiers/verifier.ts';
import { type FakeAmd, sharedFakeAmd } from '../../../fakes/fake-amd.ts';
import {
  createFakeAzure,
  type FakeAzureEvidence,
  type FakeAzureSnpOptions,
} from '../../../fakes/fake-azure.ts';
import { createMemoryCollateral } from '../../../fakes/snp-memory-collateral.ts';
import { createFakeAk, extendedOnce, fakePcrs, range, SHA256_BANK } from '../../../fakes/tpm-quote.ts';
import { NOW, putLists } from '../snp/snp-setup.ts';

const azure = createFakeAzure();
const reportData = new Uint8Array(48).map((_, index) => index + 1);
const initDataDigest = new Uint8Array(32).fill(0xd1);
const pcr8 = extendedOnce(initDataDigest);
let amd: FakeAmd;
let proveReport: ProveSnpReport;

beforeAll(async () => {
  amd = await sharedFakeAmd();
});

/** As the composition does it: the very prover of the SNP verifier. */
beforeEach(async () => {
  const store = createMemoryCollateral();
  await putLists(store, amd);
  const options = { anchors: amd.anchors, store, kds: undefined, maxStaleSeconds: 0 };
  const prover = createSnpProver({ ...options, revocation: 'required' });
  proveReport = async (report, key, at) => {
    const supplied = key && { endorsementKey: key, intermediate: undefined };
    const { report: proven, claims } = await prover.prove(report, supplied, at);
    return { reportData: proven.reportData, claims };
  };
});

async function evidence(options: FakeAzureSnpOptions = {}): Promise<FakeAzureEvidence> {
  return await azure.snpEvidence(amd, { reportData, ...options });
}

async function claimsOf(
  given: unknown,
  expected: Partial<ExpectedBinding> = {},
  minimumEvidenceVersion: AzureEvidenceVersion = 0,
): Promise<Claims> {
  const verifier = createAzSnpVtpmVerifier({ proveReport, minimumEvidenceVersion });
  const proven = await verifier.verify(given, { reportData, initDataDigest: undefined, ...expected }, NOW);
  expect(proven).toHaveLength(1);
  expect(proven[0].class).toBe('cpu');
  return proven[0].claims;
}

describe('createAzSnpVtpmVerifier', () => {
  it.each([0, 1, 2] as const)('proves evidence of version %i', async (version) => {
    const claims = await claimsOf(await evidence({ version }));
    expect(claims['report_data']).toBe(Buffer.from(reportData).toString('hex'));
  });

  it('gives every claim as text, and those of the vTPM in the place of the report', async () => {
    const claims = await claimsOf(await evidence());
    const pcrs = fakePcrs().map((value, index) => [
      `pcr${`${index}`.padStart(2, '0')}`,
      Buffer.from(value).toString('hex'),
    ]);
    expect(claims).toMatchObject({
      measurement: Buffer.alloc(48, 0xa5).toString('base64'),
      report_version: '3',
      vmpl: '0',
      product: 'Milan',
      policy_abi_major: '0',
      policy_abi_minor: '0',
      policy_smt_allowed: 'true',
      policy_migrate_ma: 'false',
      policy_debug_allowed: 'false',
      policy_single_socket: 'false',
      reported_tcb_bootloader: '3',
      reported_tcb_tee: '0',
      reported_tcb_snp: '8',
      reported_tcb_microcode: '115',
      platform_smt_enabled: 'true',
      platform_tsme_enabled: 'false',
      author_key_enabled: 'false',
      id_key_digest: '1d'.repeat(48),
      revocation_status: 'good',
      report_data: Buffer.from(reportData).toString('hex'),
      init_data: '00'.repeat(32),
      tpm: Object.fromEntries(pcrs) as Claims,
    });
    expect(claims).not.toHaveProperty('chip_id');
    for (const [name, value] of Object.entries(claims))
      if (name !== 'tpm') expect(value).toBeTypeOf('string');
  });

  it('binds init data by PCR 8', async () => {
    const values = fakePcrs().with(8, pcr8);
    const given = await evidence({ quote: { values } });
    const claims = await claimsOf(given, { initDataDigest });
    expect(claims['init_data']).toBe(pcr8.toString('hex'));
    const other = { initDataDigest: initDataDigest.with(0, 0) };
    await expect(claimsOf(given, other)).rejects.toMatchObject({ code: 'INIT_DATA_MISMATCH' });
    await expect(claimsOf(await evidence(), { initDataDigest })).rejects.toMatchObject({
      code: 'INIT_DATA_MISMATCH',
    });
    const long = { initDataDigest: new Uint8Array(48) };
    await expect(claimsOf(given, long)).rejects.toMatchObject({ code: 'INIT_DATA_MISMATCH' });
  });

  it('takes the number of a PCR from the signed selection: another one in the place of PCR 8 is not PCR 8', async () => {
    const selection = [{ algorithm: SHA256_BANK, indices: [...range(0, 8), 23] }];
    const values = [...fakePcrs(8), pcr8];
    const given = await evidence({ quote: { selection, values } });
    const claims = await claimsOf(given);
    expect(claims['tpm']).toMatchObject({ pcr23: pcr8.toString('hex') });
    expect(claims['tpm']).not.toHaveProperty('pcr08');
    expect(claims).not.toHaveProperty('init_data');
    await expect(claimsOf(given, { initDataDigest })).rejects.toMatchObject({
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
  });

  it.each<[string, FakeAzureSnpOptions, string]>([
    ['a quote by another key', { quote: { signer: createFakeAk().privateKey } }, 'SIGNATURE_INVALID'],
    [
      'a nonce reversed',
      { quote: { extraData: Uint8Array.from(reportData).reverse() } },
      'REPORT_DATA_MISMATCH',
    ],
    [
      'a nonce padded with zeros',
      { quote: { extraData: Buffer.concat([reportData, Buffer.alloc(16)]) } },
      'REPORT_DATA_MISMATCH',
    ],
    ['a nonce cut to 32 bytes', { quote: { extraData: reportData.subarray(0, 32) } }, 'REPORT_DATA_MISMATCH'],
    ['no nonce', { quote: { extraData: new Uint8Array() } }, 'REPORT_DATA_MISMATCH'],
    ['a quote over nothing', { quote: { selection: [], values: [] } }, 'PCR_SELECTION_MISMATCH'],
    ['other PCRs than quoted', { quote: { pcrDigest: new Uint8Array(32) } }, 'PCR_DIGEST_MISMATCH'],
    [
      'PCRs of another bank',
      { quote: { selection: [{ algorithm: 0x0c, indices: [0] }], values: [new Uint8Array(48)] } },
      'PCR_BANK_UNSUPPORTED',
    ],
    ['user data of another request', { userData: new Uint8Array(64) }, 'USER_DATA_MISMATCH'],
    ['user data that goes on', { userData: Buffer.concat([reportData, Buffer.of(1)]) }, 'USER_DATA_MISMATCH'],
    ['variable data without user data', { variableData: ({ keys }) => ({ keys }) }, 'USER_DATA_MISMATCH'],
    [
      'variable data that the report does not vouch for',
      { hardwareReportData: (usual) => usual.with(31, usual[31]! ^ 1) },
      'VARIABLE_DATA_MISMATCH',
    ],
    [
      'report data that goes on after the digest',
      { hardwareReportData: (usual) => usual.with(63, 1) },
      'VARIABLE_DATA_MISMATCH',
    ],
    [
      'variable data without the attestation key',
      { variableData: (usual) => ({ ...usual, keys: usual.keys.slice(1) }) },
      'HCL_VARIABLE_DATA_MALFORMED',
    ],
    ['a report of TDX', { hcl: { type: 4 } }, 'HARDWARE_REPORT_MISMATCH'],
    ['no HCL report', { hcl: { magic: 'ACLH' } }, 'HCL_REPORT_MALFORMED'],
    ['VMPL 2', { report: { vmpl: 2 } }, 'VMPL_NOT_ALLOWED'],
    ['an unsigned report', { report: { key_info: 0b11110 } }, 'SIGNING_KEY_UNSUPPORTED'],
  ])('refuses %s', async (_what, options, code) => {
    await expect(claimsOf(await evidence(options))).rejects.toMatchObject({ code });
  });

  it('refuses a hardware report with one bit changed', async () => {
    const given = await evidence();
    const hcl = Buffer.from(given['hcl_report'] as string, 'base64url');
    hcl[0x20 + 0x90]! ^= 1; // MEASUREMENT
    const changed = { ...given, hcl_report: hcl.toString('base64url') };
    await expect(claimsOf(changed)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('refuses variable data with one byte changed, be it only a space', async () => {
    const given = await evidence();
    const hcl = Buffer.from(given['hcl_report'] as string, 'base64url');
    hcl[hcl.indexOf('true', 0x4d4)] = 0x54;
    const changed = { ...given, hcl_report: hcl.toString('base64url') };
    await expect(claimsOf(changed)).rejects.toMatchObject({ code: 'VARIABLE_DATA_MISMATCH' });
  });

  it('refuses to prove anything for a request without runtime data', async () => {
    await expect(claimsOf(await evidence(), { reportData: undefined })).rejects.toMatchObject({
      code: 'RUNTIME_DATA_REQUIRED',
    });
  });

  it('compares all 64 bytes of user data, whatever their case, and expectations that fit', async () => {
    const lower = await evidence({
      variableData: (usual) => ({ ...usual, 'user-data': usual['user-data'].toLowerCase() }),
    });
    await expect(claimsOf(lower)).resolves.toBeDefined();
    const nothing = await azure.snpEvidence(amd, { reportData: new Uint8Array(), userData: reportData });
    await expect(claimsOf(nothing, { reportData: new Uint8Array() })).rejects.toMatchObject({
      code: 'USER_DATA_MISMATCH',
    });
    const long = new Uint8Array(65).fill(1);
    const tooLong = await azure.snpEvidence(amd, { reportData: long, userData: long.subarray(0, 64) });
    await expect(claimsOf(tooLong, { reportData: long })).rejects.toMatchObject({
      code: 'USER_DATA_MISMATCH',
    });
  });

  it('asks for the version that is configured, since the guest could say less', async () => {
    const given = await evidence({ userData: new Uint8Array(64) });
    await expect(claimsOf({ ...given, version: 1 })).resolves.toBeDefined();
    await expect(claimsOf({ ...given, version: 1 }, {}, 2)).rejects.toMatchObject({
      code: 'EVIDENCE_VERSION_TOO_OLD',
    });
    await expect(claimsOf(await evidence({ version: 0 }), {}, 1)).rejects.toMatchObject({
      code: 'EVIDENCE_VERSION_TOO_OLD',
    });
    await expect(claimsOf(await evidence(), {}, 2)).resolves.toBeDefined();
  });

  it.each(['version', 'tpm_quote', 'hcl_report'])('refuses evidence without %s', async (name) => {
    const broken = { ...(await evidence()), [name]: undefined };
    await expect(claimsOf(broken)).rejects.toMatchObject({ code: 'EVIDENCE_MALFORMED' });
  });

  it('looks for the VCEK elsewhere when none came along', async () => {
    const without = { ...(await evidence()), vcek: undefined };
    await expect(claimsOf(without)).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
  });

  it('refuses a VCEK that is none', async () => {
    const given = await evidence();
    const old = await evidence({ version: 0 });
    for (const [vcek, code] of [
      [7, 'EVIDENCE_MALFORMED'],
      ['AAAA', 'CERTIFICATE_MALFORMED'],
    ] as const) {
      await expect(claimsOf({ ...given, vcek })).rejects.toMatchObject({ code });
      await expect(claimsOf({ ...old, vcek })).rejects.toMatchObject({ code });
    }
  });
});
