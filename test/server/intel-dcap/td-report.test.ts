import { describe, expect, it } from 'vitest';
import { readTdReport } from '../../../server/intel-dcap/td-report.ts';
import { encodeTdReport, fakeTdReport, filled } from '../../fakes/quote-bytes.ts';

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');
const FIELDS = fakeTdReport({
  teeTcbSvn: filled(16, 0x01),
  mrSignerSeam: filled(48, 0x02),
  seamAttributes: 0x0807_0605_0403_0201n,
  tdAttributes: 0x1817_1615_1413_1211n,
  xfam: 0x2827_2625_2423_2221n,
  mrConfigId: filled(48, 0x03),
  mrOwner: filled(48, 0x04),
  mrOwnerConfig: filled(48, 0x05),
  reportData: filled(64, 0x06),
  teeTcbSvn2: filled(16, 0x07),
  mrServiceTd: filled(48, 0x08),
});

describe('readTdReport', () => {
  it.each(['td-1.0', 'td-1.5'] as const)('reads every field of a %s body', (kind) => {
    const report = readTdReport(encodeTdReport(FIELDS, kind));
    for (const name of [
      'teeTcbSvn',
      'mrSeam',
      'mrSignerSeam',
      'mrTd',
      'mrConfigId',
      'mrOwner',
      'mrOwnerConfig',
      'reportData',
    ] as const) {
      expect(hex(report[name])).toBe(hex(FIELDS[name]));
    }
    expect(hex(report.seamAttributes)).toBe('0102030405060708');
    expect(hex(report.tdAttributes)).toBe('1112131415161718');
    expect(hex(report.xfam)).toBe('2122232425262728');
    expect(report.rtmrs.map(hex)).toEqual(FIELDS.rtmrs.map(hex));
    expect(hex(report.teeTcbSvn2)).toBe(kind === 'td-1.5' ? hex(FIELDS.teeTcbSvn2) : undefined);
    expect(hex(report.mrServiceTd)).toBe(kind === 'td-1.5' ? hex(FIELDS.mrServiceTd) : undefined);
  });

  it('refuses every other length', () => {
    const bytes = encodeTdReport(FIELDS, 'td-1.5');
    for (let length = 0; length < bytes.byteLength; length++) {
      if (length === 584) continue;
      expect(() => readTdReport(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
    expect(() => readTdReport(Uint8Array.of(...bytes, 0))).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES' }),
    );
  });
});
