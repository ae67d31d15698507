import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { snpReportDocument } from '../../../../../agent/attestation-agent/attesters/snp/report-document.ts';
import { CodedError } from '../../../../../server/errors/coded-error.ts';
import { readSnpEvidence } from '../../../../../server/verifiers/snp/evidence.ts';
import { PRODUCT_LINES, type ProductLine } from '../../../../../server/verifiers/snp/product.ts';
import {
  chipId,
  encodeFakeReport,
  type FakeReport,
  fakeReport,
  filled,
} from '../../../../fakes/snp-report.ts';

function bytesOf(product: ProductLine, version: number, overrides: Partial<FakeReport> = {}): Uint8Array {
  const bytes = encodeFakeReport({ ...fakeReport(product, version), ...overrides }, product);
  bytes.set(filled(48, 0x5a), 0x2a0);
  bytes.set(filled(48, 0x5b), 0x2e8);
  return bytes;
}

const signature = {
  r: [...filled(48, 0x5a), ...filled(24, 0)],
  s: [...filled(48, 0x5b), ...filled(24, 0)],
};
const known = PRODUCT_LINES.flatMap((product) => [2, 3, 4, 5].map((version) => [product, version] as const));

describe('snpReportDocument', () => {
  it.each(known)('shows a report of %s, version %i, as guests send it', (product, version) => {
    const expected = { ...fakeReport(product, version), signature };
    expect(snpReportDocument(bytesOf(product, version))).toEqual(expected);
  });

  it.each(known)('of %s, version %i, is put together by servers as it was', (product, version) => {
    const report = bytesOf(product, version);
    const { report: again } = readSnpEvidence({
      attestation_report: snpReportDocument(report),
      cert_chain: null,
    });
    expect(Buffer.from(again)).toEqual(Buffer.from(report));
  });

  it('keeps integers of 64 bits exact', () => {
    const policy = 0xffff_ffff_ffff_fffen;
    const document = snpReportDocument(bytesOf('Turin', 5, { policy, current_mit_vector: 1n << 63n }));
    expect(document).toMatchObject({ policy, plat_info: 0x25, current_mit_vector: 1n << 63n });
  });

  it('takes a report of version 2 for one of Turin by its short chip id only', () => {
    const tcbOf = (overrides: Partial<FakeReport>): unknown =>
      snpReportDocument(bytesOf('Milan', 2, overrides))['reported_tcb'];
    expect(tcbOf({})).toMatchObject({ fmc: null, microcode: 115 });
    expect(tcbOf({ chip_id: filled(64, 0) })).toMatchObject({ fmc: null });
    const turin = snpReportDocument(bytesOf('Turin', 2, { chip_id: chipId('Turin', 1) }));
    expect(turin['reported_tcb']).toMatchObject({ fmc: 1, bootloader: 3 });
  });

  it.each([
    ['version 1', 0x000, 1, 'REPORT_UNSUPPORTED'],
    ['version 6', 0x000, 6, 'REPORT_UNSUPPORTED'],
    ['a reserved byte behind KEY_INFO', 0x04c, 1, 'RESERVED_NOT_ZERO'],
    ['a reserved byte of the TCB', 0x03a, 1, 'RESERVED_NOT_ZERO'],
    ['a reserved byte behind CPUID', 0x18b, 1, 'RESERVED_NOT_ZERO'],
    ['a reserved byte behind the version', 0x1eb, 1, 'RESERVED_NOT_ZERO'],
    ['a reserved byte before the signature', 0x29f, 1, 'RESERVED_NOT_ZERO'],
    ['a reserved byte behind the signature', 0x49f, 1, 'RESERVED_NOT_ZERO'],
  ])('refuses %s, which it could not show', (_what, offset, value, code) => {
    const bytes = bytesOf('Milan', 3);
    bytes[offset] = value;
    expect(() => snpReportDocument(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses every other length', () => {
    const bytes = bytesOf('Genoa', 4);
    for (let length = 0; length < bytes.byteLength; length++)
      expect(() => snpReportDocument(bytes.subarray(0, length))).toThrow(CodedError);
    expect(() => snpReportDocument(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES' }),
    );
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0x4a0, maxLength: 0x4a0 }),
        fc.integer({ min: 2, max: 5 }),
        (bytes, version) => {
          bytes.set([version, 0, 0, 0]);
          try {
            snpReportDocument(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        },
      ),
    );
  });
});
