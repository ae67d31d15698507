import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { createTdQuoteProver } from '../../../../server/verifiers/tdx/td-quote-prover.ts';
import { createTdxVerifier } from '../../../../server/verifiers/tdx/tdx-verifier.ts';
import type { ExpectedBinding, Verifier } from '../../../../server/verifiers/verifier.ts';
import {
  type FakeRecord,
  fakeDevicePath,
  fakeEventLog,
  fakeImageLoad,
  fakeRegister,
  fakeTaggedEvent,
} from '../../../fakes/event-log-bytes.ts';
import { type FakeIntel, type FakeQuoteOptions, sharedFakeIntel } from '../../../fakes/fake-intel.ts';
import { fakeQuoteVerification } from '../../../fakes/fake-quote-verification.ts';
import { filled } from '../../../fakes/quote-bytes.ts';

const AT = new Date('2026-06-01T00:00:00Z');
const NOTHING: ExpectedBinding = { reportData: undefined, initDataDigest: undefined };
const data = filled(64, 9);

describe('createTdxVerifier', () => {
  let intel: FakeIntel;
  let verifier: Verifier;

  beforeAll(async () => {
    intel = await sharedFakeIntel();
    verifier = createTdxVerifier({ verifyQuote: fakeQuoteVerification(intel) });
  });

  async function claimsOf(
    quote: FakeQuoteOptions = {},
    expected: Partial<ExpectedBinding> = {},
    log?: Uint8Array,
  ): Promise<Claims> {
    const evidence = {
      quote: Buffer.from(await intel.quote(quote)).toString('base64'),
      cc_eventlog: log && Buffer.from(log).toString('base64'),
    };
    const proven = await verifier.verify(evidence, { ...NOTHING, ...expected }, AT);
    expect(proven).toHaveLength(1);
    expect(proven[0].class).toBe('cpu');
    return proven[0].claims;
  }

  it('without an event log, has the claims of the bare quote and says that there was none', async () => {
    const bytes = await intel.quote({ td: { reportData: data } });
    const proven = await createTdQuoteProver(fakeQuoteVerification(intel))(bytes, AT);
    const evidence = { quote: Buffer.from(bytes).toString('base64') };
    const [{ claims }] = await verifier.verify(evidence, NOTHING, AT);
    expect({ ...proven.claims, event_log_verified: false }).toEqual(claims);
  });

  describe('binds the quote to the request', () => {
    it.each([0, 1, 32, 48, 63, 64])('accepts %i expected bytes, padded with zeros', async (length) => {
      const reportData = data.subarray(0, length);
      await expect(claimsOf({ td: { reportData } }, { reportData })).resolves.toBeDefined();
    });

    it.each([1, 32, 47, 48])('accepts %i bytes of init data, padded with zeros', async (length) => {
      const mrConfigId = data.subarray(0, length);
      const claims = await claimsOf({ td: { mrConfigId } }, { initDataDigest: mrConfigId });
      expect(claims['init_data']).toBe(`${'09'.repeat(length)}${'00'.repeat(48 - length)}`);
    });

    it('accepts a digest of SHA-512 cut to the length of MRCONFIGID, as launchers cut it', async () => {
      const initDataDigest = Uint8Array.from({ length: 64 }, (_byte, index) => index);
      const mrConfigId = initDataDigest.subarray(0, 48);
      await expect(claimsOf({ td: { mrConfigId } }, { initDataDigest })).resolves.toBeDefined();
    });

    it.each<[string, string, FakeQuoteOptions['td'], Partial<ExpectedBinding>]>([
      ['other report data', 'REPORT_DATA_MISMATCH', { reportData: data }, { reportData: data.with(63, 8) }],
      [
        'report data that goes on',
        'REPORT_DATA_MISMATCH',
        { reportData: data },
        { reportData: data.subarray(0, 48) },
      ],
      ['report data of zeros', 'REPORT_DATA_MISMATCH', {}, { reportData: data }],
      [
        'report data where none is expected',
        'REPORT_DATA_MISMATCH',
        { reportData: data },
        { reportData: new Uint8Array() },
      ],
      [
        '65 expected bytes',
        'REPORT_DATA_MISMATCH',
        { reportData: data },
        { reportData: Uint8Array.of(...data, 0) },
      ],
      [
        'another MRCONFIGID',
        'INIT_DATA_MISMATCH',
        { mrConfigId: data.subarray(0, 48) },
        { initDataDigest: data.subarray(0, 48).with(47, 8) },
      ],
      [
        'an MRCONFIGID that goes on',
        'INIT_DATA_MISMATCH',
        { mrConfigId: data.subarray(0, 48) },
        { initDataDigest: data.subarray(0, 32) },
      ],
      ['an MRCONFIGID of zeros', 'INIT_DATA_MISMATCH', {}, { initDataDigest: data.subarray(0, 32) }],
      [
        'a digest of SHA-512 that begins otherwise',
        'INIT_DATA_MISMATCH',
        { mrConfigId: data.subarray(0, 48) },
        { initDataDigest: data.with(47, 8) },
      ],
      [
        'an expectation that is longer than the field and no digest',
        'INIT_DATA_MISMATCH',
        { mrConfigId: data.subarray(0, 48) },
        { initDataDigest: data.subarray(0, 49) },
      ],
    ])('refuses %s with %s', async (_what, code, report, expected) => {
      await expect(claimsOf({ td: report ?? {} }, expected)).rejects.toMatchObject({ code });
    });
  });

  describe('with an event log', () => {
    const filePath = fakeDevicePath([4, 4, Buffer.from('kernel\0', 'utf16le').toString('hex')]);
    const kernel: FakeRecord = {
      index: 2,
      type: 0x8000_0003,
      event: fakeImageLoad(filePath),
      digest: filled(48, 0x11),
    };
    const options: FakeRecord = {
      index: 3,
      type: 6,
      event: fakeTaggedEvent(0x8f3b_22ed, 'LOADED_IMAGE::LoadOptions\0'),
      digest: filled(48, 0x22),
    };
    const runtime: FakeRecord = { index: 4, digest: filled(48, 0x33) };
    const firmware: FakeRecord = { index: 1, digest: filled(48, 0x44) };
    const log = fakeEventLog({ records: [firmware, kernel, options, runtime], padding: [64, 0xff] });
    const rtmrs = [0x44, 0x11, 0x22, 0x33].map((value) => fakeRegister('sha384', [filled(48, value)]));

    it('shows the events when all registers replay', async () => {
      const claims = await claimsOf({ td: { rtmrs } }, {}, log);
      expect(claims['event_log_verified']).toBe(true);
      expect(claims['uefi_event_logs']).toMatchObject([
        { index: 1 },
        {
          index: 2,
          type_name: 'EV_EFI_BOOT_SERVICES_APPLICATION',
          details: { device_paths: ['File(kernel)'] },
          digests: [{ alg: 'SHA-384', digest: '11'.repeat(48) }],
        },
        { index: 3, type_name: 'EV_EVENT_TAG', details: { string: 'LOADED_IMAGE::LoadOptions' } },
        { index: 4 },
      ]);
    });

    it.each([0, 1, 2, 3])('refuses a log that does not replay to RTMR%i', async (index) => {
      const other = rtmrs.with(index, filled(48, 0xee));
      await expect(claimsOf({ td: { rtmrs: other } }, {}, log)).rejects.toMatchObject({
        code: 'EVENT_LOG_REPLAY_MISMATCH',
      });
    });

    it.each([0, 5])('refuses records of register %i, which no quote proves', async (index) => {
      const records = [firmware, kernel, options, runtime, { index, digest: filled(48, 1) }];
      await expect(claimsOf({ td: { rtmrs } }, {}, fakeEventLog({ records }))).rejects.toMatchObject({
        code: 'EVENT_LOG_REGISTER_UNKNOWN',
      });
    });

    it('refuses a log whose digests are of another hash', async () => {
      const sha256 = fakeEventLog({ algorithms: ['sha256'], records: [{ index: 1 }] });
      await expect(claimsOf({ td: { rtmrs } }, {}, sha256)).rejects.toMatchObject({
        code: 'EVENT_LOG_DIGEST_MISSING',
      });
    });

    it('refuses bytes that are no log', async () => {
      await expect(claimsOf({ td: { rtmrs } }, {}, filled(64, 1))).rejects.toBeInstanceOf(CodedError);
    });
  });
});
