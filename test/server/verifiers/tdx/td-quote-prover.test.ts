import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { createTdQuoteProver, type ProveTdQuote } from '../../../../server/verifiers/tdx/td-quote-prover.ts';
import { type FakeIntel, type FakeQuoteOptions, sharedFakeIntel } from '../../../fakes/fake-intel.ts';
import { COLLATERAL_CLAIMS, fakeQuoteVerification } from '../../../fakes/fake-quote-verification.ts';
import { filled } from '../../../fakes/quote-bytes.ts';

const AT = new Date('2026-06-01T00:00:00Z');

describe('createTdQuoteProver', () => {
  let intel: FakeIntel;
  let prove: ProveTdQuote;

  beforeAll(async () => {
    intel = await sharedFakeIntel();
    prove = createTdQuoteProver(fakeQuoteVerification(intel));
  });

  async function claimsOf(quote: FakeQuoteOptions): Promise<Claims> {
    const { claims } = await prove(await intel.quote(quote), AT);
    return claims;
  }

  const bodyOf10 = {
    tcb_svn: `050102${'00'.repeat(13)}`,
    mr_seam: '5e'.repeat(48),
    mrsigner_seam: '00'.repeat(48),
    seam_attributes: '00'.repeat(8),
    td_attributes: '0100001000000000',
    xfam: 'e700060000000000',
    mr_td: '7d'.repeat(48),
    mr_config_id: 'c1'.repeat(48),
    mr_owner: '01'.repeat(48),
    mr_owner_config: '02'.repeat(48),
    rtmr_0: 'b0'.repeat(48),
    rtmr_1: 'b1'.repeat(48),
    rtmr_2: 'b2'.repeat(48),
    rtmr_3: 'b3'.repeat(48),
    report_data: '09'.repeat(64),
  };
  const td = {
    tdAttributes: 0x1000_0001n,
    xfam: 0x600e7n,
    mrConfigId: filled(48, 0xc1),
    mrOwner: filled(48, 1),
    mrOwnerConfig: filled(48, 2),
    reportData: filled(64, 9),
  };
  const header = {
    version: '0400',
    att_key_type: '0200',
    tee_type: '81000000',
    reserved: '00000000',
    vendor_id: '939a7233f79c4ca9940a0db3957f0607',
    user_data: `d0d1${'00'.repeat(18)}`,
  };

  it('gives every claim under its name', async () => {
    const platformInstanceId = Uint8Array.from({ length: 16 }, (_byte, index) => index);
    const claims = await claimsOf({ td, pck: await intel.pck({ platformInstanceId }) });
    expect(claims).toEqual({
      quote: { header, body: bodyOf10 },
      td_attributes: {
        debug: true,
        hgs_plus_prof: false,
        perf_prof: false,
        pmt_prof: false,
        icssd: false,
        lass: false,
        septve_disable: true,
        migratable: false,
        protection_keys: false,
        key_locker: false,
        tpa: false,
        perfmon: false,
        unknown_bits: false,
      },
      xfam: {
        x87: true,
        sse: true,
        avx: true,
        mpx_bndregs: false,
        mpx_bndcsr: false,
        avx512_opmask: true,
        avx512_zmm_hi256: true,
        avx512_hi16_zmm: true,
        processor_trace: false,
        pkru: false,
        pasid: false,
        cet_user: false,
        cet_supervisor: false,
        hdc: false,
        user_interrupts: false,
        lbr: false,
        hwp: false,
        amx_tile_config: true,
        amx_tile_data: true,
        apx: false,
        unknown_bits: false,
      },
      report_data: '09'.repeat(64),
      init_data: 'c1'.repeat(48),
      platform_instance_id: '0f0e0d0c0b0a09080706050403020100',
      ...COLLATERAL_CLAIMS,
    });
  });

  it('says what TDX 1.5 and version 5 add', async () => {
    const service = { ...td, teeTcbSvn2: filled(16, 0x22), mrServiceTd: filled(48, 0x33) };
    const claims = await claimsOf({ version: 5, td: service });
    expect(claims['quote']).toEqual({
      header: { ...header, version: '0500' },
      type: '0300',
      size: '88020000',
      body: { ...bodyOf10, tee_tcb_svn2: '22'.repeat(16), mr_servicetd: '33'.repeat(48) },
    });
  });

  it('says of TDX 1.0 in version 5 what it is', async () => {
    const { quote } = await claimsOf({ version: 5, body: 'td-1.0', td });
    expect(quote).toEqual({
      header: { ...header, version: '0500' },
      type: '0200',
      size: '48020000',
      body: bodyOf10,
    });
  });

  it('has no platform instance id for a processor', async () => {
    const claims = await claimsOf({ pck: await intel.pck({ ca: 'processor' }) });
    expect('platform_instance_id' in claims).toBe(false);
  });

  it('refuses the quote of an enclave by name, and asks nobody about it', async () => {
    const offline = createTdQuoteProver(
      async () => await Promise.reject(new Error('asked about a quote of an enclave')),
    );
    await expect(offline(await intel.quote({ version: 3 }), AT)).rejects.toMatchObject({
      code: 'TD_QUOTE_EXPECTED',
      message: 'expected a TD quote (version 4 or 5), got an SGX quote (version 3)',
    });
  });

  it('gives what requests are compared with', async () => {
    const proven = await prove(await intel.quote({ td }), AT);
    expect([...proven.reportData]).toEqual([...td.reportData]);
    expect([...proven.mrConfigId]).toEqual([...td.mrConfigId]);
    expect(proven.rtmrs.map((rtmr) => rtmr[47])).toEqual([0xb0, 0xb1, 0xb2, 0xb3]);
  });

  it('refuses a changed report', async () => {
    const bytes = await intel.quote();
    await expect(prove(bytes.with(48 + 136, 0), AT)).rejects.toMatchObject({
      code: 'QUOTE_SIGNATURE_INVALID',
    }); // MRTD
  });

  it('refuses truncations', async () => {
    const bytes = await intel.quote({ version: 5 });
    for (let length = 0; length < bytes.byteLength; length += 37) {
      await expect(prove(bytes.subarray(0, length), AT)).rejects.toBeInstanceOf(CodedError);
    }
  });
});
