import { describe, expect, it } from 'vitest';
import { readEnclaveReport } from '../../../server/intel-dcap/enclave-report.ts';
import { encodeEnclaveReport, fakeEnclaveReport, filled } from '../../fakes/quote-bytes.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('readEnclaveReport', () => {
  it('reads every field', () => {
    const fields = fakeEnclaveReport({
      miscSelect: 0x0403_0201,
      cetAttributes: 0x0f,
      flags: 0x0807_0605_0403_0201n,
      xfrm: 0x1211_100f_0e0d_0c0bn,
      configId: filled(64, 0xc0),
      isvProdId: 0x1234,
      isvSvn: 0x5678,
      configSvn: 0x9abc,
      reportData: filled(64, 0xda),
    });
    const bytes = encodeEnclaveReport(fields);
    const report = readEnclaveReport(bytes);
    expect(report).toMatchObject({ isvProdId: 0x1234, isvSvn: 0x5678, configSvn: 0x9abc });
    expect(hex(report.bytes)).toBe(hex(bytes));
    expect(hex(report.miscSelect)).toBe('01020304');
    expect(hex(report.reserved1)).toBe(`0f${'00'.repeat(11)}`);
    expect(hex(report.attributes)).toBe('01020304050607080b0c0d0e0f101112');
    for (const name of [
      'cpuSvn',
      'isvExtProdId',
      'mrEnclave',
      'mrSigner',
      'configId',
      'isvFamilyId',
      'reportData',
    ] as const) {
      expect(hex(report[name])).toBe(hex(fields[name]));
    }
    expect([report.reserved2, report.reserved3, report.reserved4].map((field) => field.byteLength)).toEqual([
      32, 32, 42,
    ]);
  });

  it.each([21, 31, 96, 127, 160, 191, 262, 303])('refuses a reserved byte at %i', (offset) => {
    const bytes = encodeEnclaveReport(fakeEnclaveReport());
    bytes[offset] = 1;
    expect(() => readEnclaveReport(bytes)).toThrow(expect.objectContaining({ code: 'RESERVED_NOT_ZERO' }));
  });

  it('refuses every other length', () => {
    const bytes = encodeEnclaveReport(fakeEnclaveReport());
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(() => readEnclaveReport(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
    expect(() => readEnclaveReport(Uint8Array.of(...bytes, 0))).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES' }),
    );
  });
});
