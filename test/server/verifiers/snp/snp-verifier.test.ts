import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { PRODUCT_LINES } from '../../../../server/verifiers/snp/product.ts';
import type { SnpVerifierOptions } from '../../../../server/verifiers/snp/snp-verifier.ts';
import type { ExpectedBinding } from '../../../../server/verifiers/verifier.ts';
import {
  type FakeAmd,
  type FakeEvidence,
  type FakeEvidenceOptions,
  sharedFakeAmd,
} from '../../../fakes/fake-amd.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../../fakes/snp-memory-collateral.ts';
import { type FakeReport, fakeReport } from '../../../fakes/snp-report.ts';
import { claimsAt, NOTHING, NOW, putLists, verifierWith } from './snp-setup.ts';

const { reported_tcb: tcb } = fakeReport('Milan', 3);
const version = { major: 1, minor: 55, build: 29 };

describe('createSnpVerifier', () => {
  let amd: FakeAmd;
  let store: MemoryCollateral;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
  });

  beforeEach(async () => {
    store = createMemoryCollateral();
    await putLists(store, amd);
  });

  async function claimsOf(
    evidence: unknown,
    expected: Partial<ExpectedBinding> = {},
    options: Partial<SnpVerifierOptions> = {},
  ): Promise<Claims> {
    return await claimsAt(NOW, verifierWith(amd, store, options), evidence, expected);
  }

  it.each(
    PRODUCT_LINES.flatMap((product) =>
      [2, 3, 4, 5].flatMap((reportVersion) =>
        (['vcek', 'vlek'] as const).map((signingKey) => [product, reportVersion, signingKey] as const),
      ),
    ),
  )('proves a report of %s, version %i, signed with a %s', async (product, reportVersion, signingKey) => {
    const reportData = new Uint8Array(48).fill(7);
    const evidence = await amd.evidence({ product, version: reportVersion, signingKey, reportData });
    const claims = await claimsOf(evidence, { reportData });
    expect(claims).toMatchObject({ product, report_version: reportVersion, signing_key: signingKey });
    expect(claims['csp_id']).toBe(signingKey === 'vlek' ? 'CN=cc-test-1.example.com' : undefined);
    expect(claims['reported_tcb_fmc']).toBe(product === 'Turin' ? 1 : undefined);
    expect('launch_mit_vector' in claims).toBe(reportVersion === 5);
  });

  it('gives every claim under its name', async () => {
    const evidence = await amd.evidence({ overrides: { policy: 0xb_1f01n, launch_mit_vector: null } });
    const ff = 'ff'.repeat(32);
    expect(await claimsOf(evidence)).toEqual({
      report_version: 3,
      product: 'Milan',
      vmpl: 0,
      guest_svn: 4,
      measurement: 'a5'.repeat(48),
      report_data: '00'.repeat(64),
      init_data: '00'.repeat(32),
      chip_id: 'c1'.repeat(64),
      report_id: '42'.repeat(32),
      report_id_ma: ff,
      id_key_digest: '1d'.repeat(48),
      author_key_digest: '00'.repeat(48),
      author_key_enabled: false,
      family_id: '0f'.repeat(16),
      image_id: '1a'.repeat(16),
      signing_key: 'vcek',
      revocation_status: 'good',
      policy_abi_major: 0x1f,
      policy_abi_minor: 1,
      policy_smt_allowed: true,
      policy_migrate_ma: false,
      policy_debug_allowed: true,
      policy_single_socket: false,
      policy_cxl_allowed: false,
      policy_mem_aes_256_xts: false,
      policy_rapl_disabled: false,
      policy_ciphertext_hiding: false,
      policy_page_swap_disabled: false,
      platform_smt_enabled: true,
      platform_tsme_enabled: false,
      platform_ecc_enabled: true,
      platform_rapl_disabled: false,
      platform_ciphertext_hiding_enabled: false,
      platform_alias_check_complete: true,
      platform_tio_enabled: false,
      ...tcbClaims('reported'),
      ...tcbClaims('committed'),
      ...tcbClaims('current'),
      ...tcbClaims('launch'),
      current_version: '1.55.29',
      committed_version: '1.55.29',
    });
  });

  function tcbClaims(name: string): Record<string, number> {
    return {
      [`${name}_tcb_bootloader`]: 3,
      [`${name}_tcb_tee`]: 0,
      [`${name}_tcb_snp`]: 8,
      [`${name}_tcb_microcode`]: 115,
    };
  }

  it('writes mitigation vectors beyond 2^53 as text', async () => {
    const overrides = { launch_mit_vector: 1n << 63n, current_mit_vector: 5 };
    const claims = await claimsOf(await amd.evidence({ product: 'Turin', overrides }));
    expect(claims).toMatchObject({ launch_mit_vector: '9223372036854775808', current_mit_vector: 5 });
  });

  describe('binds the report to the request', () => {
    const data = new Uint8Array(64).fill(9);

    it.each([0, 1, 32, 48, 63, 64])('accepts %i expected bytes, padded with zeros', async (length) => {
      const reportData = data.subarray(0, length);
      await expect(claimsOf(await amd.evidence({ reportData }), { reportData })).resolves.toBeDefined();
    });

    it.each<[string, FakeEvidenceOptions, Partial<ExpectedBinding>, string]>([
      ['other report data', { reportData: data }, { reportData: data.with(63, 8) }, 'REPORT_DATA_MISMATCH'],
      [
        'report data that goes on',
        { reportData: data },
        { reportData: data.subarray(0, 32) },
        'REPORT_DATA_MISMATCH',
      ],
      ['report data of zeros', {}, { reportData: data }, 'REPORT_DATA_MISMATCH'],
      [
        'report data where nothing is expected to be',
        { reportData: data },
        { reportData: new Uint8Array() },
        'REPORT_DATA_MISMATCH',
      ],
      [
        '65 expected bytes',
        { reportData: data },
        { reportData: Uint8Array.of(...data, 0) },
        'REPORT_DATA_MISMATCH',
      ],
      [
        'other host data',
        { hostData: data.subarray(0, 32) },
        { initDataDigest: data.subarray(0, 31) },
        'INIT_DATA_MISMATCH',
      ],
      ['host data of zeros', {}, { initDataDigest: data.subarray(0, 32) }, 'INIT_DATA_MISMATCH'],
      [
        'a digest of 48 bytes that begins otherwise',
        { hostData: data.subarray(0, 32) },
        { initDataDigest: data.subarray(0, 48).map((byte) => byte ^ 1) },
        'INIT_DATA_MISMATCH',
      ],
      [
        'an expectation that is longer than the field and no digest',
        { hostData: data.subarray(0, 32) },
        { initDataDigest: data.subarray(0, 33) },
        'INIT_DATA_MISMATCH',
      ],
    ])('refuses %s', async (_what, options, expected, code) => {
      await expect(claimsOf(await amd.evidence(options), expected)).rejects.toMatchObject({ code });
    });

    it.each([48, 64])(
      'accepts a digest of %i bytes cut to the length of host data, as launchers cut it',
      async (length) => {
        const evidence = await amd.evidence({ hostData: data.subarray(0, 32) });
        await expect(claimsOf(evidence, { initDataDigest: data.subarray(0, length) })).resolves.toBeDefined();
      },
    );

    it('accepts the init data digest in host data', async () => {
      const hostData = data.subarray(0, 32);
      await expect(
        claimsOf(await amd.evidence({ hostData }), { initDataDigest: hostData }),
      ).resolves.toMatchObject({
        init_data: '09'.repeat(32),
      });
    });
  });

  it.each<[string, string, Partial<FakeReport>]>([
    ['VMPL 1', 'VMPL_NOT_ALLOWED', { vmpl: 1 }],
    ['VMPL 2^32-1', 'VMPL_NOT_ALLOWED', { vmpl: 0xffff_ffff }],
    ['a reported TCB above the committed', 'TCB_ORDER_VIOLATED', { committed_tcb: { ...tcb, snp: 7 } }],
    ['a committed TCB above the current', 'TCB_ORDER_VIOLATED', { current_tcb: { ...tcb, microcode: 114 } }],
    ['a committed build above the current', 'TCB_ORDER_VIOLATED', { committed: { ...version, build: 30 } }],
    [
      'a committed minor above the current',
      'TCB_ORDER_VIOLATED',
      { committed: { ...version, minor: 56, build: 0 } },
    ],
    [
      'a committed major above the current',
      'TCB_ORDER_VIOLATED',
      { committed: { major: 2, minor: 0, build: 0 } },
    ],
    ['another signature algorithm', 'SIGNATURE_ALGORITHM_UNSUPPORTED', { sig_algo: 2 }],
    ['an unsigned report', 'SIGNING_KEY_UNSUPPORTED', { key_info: 0b11110 }],
    ['a processor that we do not know', 'PRODUCT_UNSUPPORTED', { cpuid_fam_id: 0x17 }],
    ['no CPUID', 'PRODUCT_UNSUPPORTED', { cpuid_fam_id: null, cpuid_mod_id: null }],
    ['a Genoa processor with a Milan key', 'CHAIN_UNTRUSTED', { cpuid_mod_id: 0x11 }],
    ['a report that a VLEK signed with a VCEK', 'CHAIN_UNTRUSTED', { key_info: 0b100 }],
    ['version 1', 'REPORT_VERSION_UNSUPPORTED', { version: 1 }],
    ['reserved policy bits', 'GUEST_POLICY_MALFORMED', { policy: 1n << 40n }],
  ])('refuses %s with %s', async (_what, code, overrides) => {
    await expect(claimsOf(await amd.evidence({ overrides }))).rejects.toMatchObject({ code });
  });

  it('accepts firmware that runs ahead of what is committed', async () => {
    const overrides = {
      committed_tcb: { ...tcb, microcode: 120 },
      current_tcb: { ...tcb, snp: 9, microcode: 206 },
      current: { major: 1, minor: 56, build: 0 },
    };
    await expect(claimsOf(await amd.evidence({ overrides }))).resolves.toMatchObject({
      current_tcb_microcode: 206,
    });
  });

  it('accepts the VMPLs that are configured', async () => {
    const evidence = await amd.evidence({ overrides: { vmpl: 2 } });
    await expect(claimsOf(evidence, {}, { allowedVmpls: [0, 2] })).resolves.toMatchObject({ vmpl: 2 });
  });

  it('takes Bergamo and Siena for Genoa', async () => {
    const evidence = await amd.evidence({ product: 'Genoa', overrides: { cpuid_mod_id: 0xaf } });
    await expect(claimsOf(evidence)).resolves.toMatchObject({ product: 'Genoa' });
  });

  it('refuses a report with any of its signed members changed', async () => {
    const names = Object.keys(fakeReport('Turin', 5)) as (keyof FakeReport)[];
    const evidence = await amd.evidence({ product: 'Turin' });
    const verifier = verifierWith(amd, store);
    await expect(verifier.verify(evidence, NOTHING, NOW)).resolves.toBeDefined();
    for (const name of names) {
      const changed = {
        ...evidence,
        attestation_report: { ...evidence.attestation_report, [name]: changeOf(evidence, name) },
      };
      await expect(verifier.verify(changed, NOTHING, NOW), name).rejects.toBeInstanceOf(CodedError);
    }
  });

  function changeOf(evidence: FakeEvidence, name: keyof FakeReport): unknown {
    const value = evidence.attestation_report[name];
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value) ^ 1;
    if (Array.isArray(value)) return value.with(0, value[0] ^ 1);
    return { ...(value as object), ...('major' in (value as object) ? { major: 200 } : { microcode: 1 }) };
  }
});
