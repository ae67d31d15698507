import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { createSgxVerifier } from '../../../../server/verifiers/sgx/sgx-verifier.ts';
import type { ExpectedBinding, Verifier } from '../../../../server/verifiers/verifier.ts';
import { type FakeIntel, type FakeQuoteOptions, sharedFakeIntel } from '../../../fakes/fake-intel.ts';
import { COLLATERAL_CLAIMS, fakeQuoteVerification } from '../../../fakes/fake-quote-verification.ts';
import { filled } from '../../../fakes/quote-bytes.ts';

const AT = new Date('2026-06-01T00:00:00Z');
const NOTHING: ExpectedBinding = { reportData: undefined, initDataDigest: undefined };
const data = filled(64, 9);

describe('createSgxVerifier', () => {
  let intel: FakeIntel;
  let verifier: Verifier;

  beforeAll(async () => {
    intel = await sharedFakeIntel();
    verifier = createSgxVerifier({ verifyQuote: fakeQuoteVerification(intel) });
  });

  async function claimsOf(
    quote: FakeQuoteOptions = {},
    expected: Partial<ExpectedBinding> = {},
  ): Promise<Claims> {
    const bytes = await intel.quote({ version: 3, ...quote });
    const evidence = { quote: Buffer.from(bytes).toString('base64') };
    const proven = await verifier.verify(evidence, { ...NOTHING, ...expected }, AT);
    expect(proven).toHaveLength(1);
    expect(proven[0].class).toBe('cpu');
    return proven[0].claims;
  }

  it('gives every claim under its name', async () => {
    const platformInstanceId = Uint8Array.from({ length: 16 }, (_byte, index) => index);
    const claims = await claimsOf({
      pck: await intel.pck({ platformInstanceId }),
      enclave: {
        miscSelect: 1,
        cetAttributes: 4,
        flags: 0x487n,
        xfrm: 0x602e7n,
        configId: data,
        isvProdId: 0x0102,
        isvSvn: 0xfffe,
        configSvn: 0x0a,
        reportData: filled(48, 7),
      },
    });
    expect(claims).toEqual({
      header: {
        version: '0300',
        att_key_type: '0200',
        att_key_data_0: '00000000',
        qe_svn: '0800',
        pce_svn: '0d00',
        vendor_id: '939a7233f79c4ca9940a0db3957f0607',
        user_data: `d0d1${'00'.repeat(18)}`,
      },
      body: {
        cpu_svn: '0c'.repeat(16),
        misc_select: '01000000',
        reserved1: `04${'00'.repeat(11)}`,
        isv_ext_prod_id: '0e'.repeat(16),
        'attributes.flags': '8704000000000000',
        'attributes.xfrm': 'e702060000000000',
        mr_enclave: 'ae'.repeat(32),
        reserved2: '00'.repeat(32),
        mr_signer: 'a5'.repeat(32),
        reserved3: '00'.repeat(32),
        config_id: '09'.repeat(64),
        isv_prod_id: '0201',
        isv_svn: 'feff',
        config_svn: '0a00',
        reserved4: '00'.repeat(42),
        isv_family_id: 'fa'.repeat(16),
        report_data: `${'07'.repeat(48)}${'00'.repeat(16)}`,
      },
      attributes: {
        init: true,
        debug: true,
        mode64bit: true,
        provision_key: false,
        einittoken_key: false,
        cet: false,
        kss: true,
        aex_notify: true,
        unknown_bits: false,
      },
      misc_select: { exinfo: true, cpinfo: false, unknown_bits: false },
      isv_prod_id: 0x0102,
      isv_svn: 0xfffe,
      config_svn: 0x0a,
      report_data: `${'07'.repeat(48)}${'00'.repeat(16)}`,
      init_data: '09'.repeat(64),
      platform_instance_id: '0f0e0d0c0b0a09080706050403020100',
      ...COLLATERAL_CLAIMS,
    });
  });

  it('has no platform instance id for a processor', async () => {
    const claims = await claimsOf({ pck: await intel.pck({ ca: 'processor' }) });
    expect('platform_instance_id' in claims).toBe(false);
  });

  it.each([4, 5] as const)(
    'refuses a TD quote of version %i by name, and asks nobody about it',
    async (version) => {
      const offline = createSgxVerifier({
        verifyQuote: async () => await Promise.reject(new Error('asked about a quote of a TD')),
      });
      const quote = Buffer.from(await intel.quote({ version })).toString('base64');
      await expect(offline.verify({ quote }, NOTHING, AT)).rejects.toMatchObject({
        code: 'SGX_QUOTE_EXPECTED',
        message: `expected an SGX quote (version 3), got a TD quote (version ${version})`,
      });
    },
  );

  it('refuses a changed report', async () => {
    const bytes = await intel.quote({ version: 3 });
    const quote = Buffer.from(bytes.with(48 + 64, 0)).toString('base64'); // MRENCLAVE
    await expect(verifier.verify({ quote }, NOTHING, AT)).rejects.toMatchObject({
      code: 'QUOTE_SIGNATURE_INVALID',
    });
  });

  it('refuses truncations', async () => {
    const bytes = await intel.quote({ version: 3 });
    for (let length = 1; length < bytes.byteLength; length += 37) {
      const quote = Buffer.from(bytes.subarray(0, length)).toString('base64');
      await expect(verifier.verify({ quote }, NOTHING, AT)).rejects.toBeInstanceOf(CodedError);
    }
  });

  it.each([0, 1, 32, 48, 63, 64])('accepts %i expected bytes, padded with zeros', async (length) => {
    const expected = data.subarray(0, length);
    const enclave = { reportData: expected, configId: expected };
    await expect(
      claimsOf({ enclave }, { reportData: expected, initDataDigest: expected }),
    ).resolves.toBeDefined();
  });

  it.each<[string, string, FakeQuoteOptions['enclave'], Partial<ExpectedBinding>]>([
    ['other report data', 'REPORT_DATA_MISMATCH', { reportData: data }, { reportData: data.with(63, 8) }],
    ['report data that goes on', 'REPORT_DATA_MISMATCH', { reportData: data }, { reportData: filled(48, 9) }],
    ['report data of zeros', 'REPORT_DATA_MISMATCH', {}, { reportData: data }],
    ['65 expected bytes', 'REPORT_DATA_MISMATCH', { reportData: data }, { reportData: filled(65, 9) }],
    [
      'report data where none is expected',
      'REPORT_DATA_MISMATCH',
      { reportData: data },
      { reportData: new Uint8Array() },
    ],
    ['another CONFIGID', 'INIT_DATA_MISMATCH', { configId: data }, { initDataDigest: data.with(63, 8) }],
    ['a CONFIGID that goes on', 'INIT_DATA_MISMATCH', { configId: data }, { initDataDigest: filled(48, 9) }],
    ['a CONFIGID of zeros', 'INIT_DATA_MISMATCH', {}, { initDataDigest: filled(32, 9) }],
    ['65 bytes of init data', 'INIT_DATA_MISMATCH', { configId: data }, { initDataDigest: filled(65, 9) }],
  ])('refuses %s with %s', async (_what, code, enclave, expected) => {
    await expect(claimsOf({ enclave: enclave ?? {} }, expected)).rejects.toMatchObject({ code });
  });
});
