import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseHclReport, vouchesFor } from '../../../server/tpm/hcl-report.ts';
import { encodeFakeHclReport, type FakeHclOptions } from '../../fakes/fake-azure.ts';
import { range } from '../../fakes/tpm-quote.ts';

const hardware = new Uint8Array(0x4a0).fill(0x5a);
const data = Buffer.from('{"keys":[]}');

describe('parseHclReport', () => {
  it.each([
    ['snp', 2],
    ['tdx', 4],
  ])('reads the parts of a report of %s', (name, type) => {
    const report = parseHclReport(encodeFakeHclReport(hardware, data, { type }));
    expect(report.type).toBe(name);
    expect(Buffer.compare(report.hardwareReport, hardware)).toBe(0);
    expect(Buffer.from(report.variableData).toString()).toBe('{"keys":[]}');
  });

  it.each<[string, FakeHclOptions, string]>([
    ['another signature', { magic: 'HCLB' }, 'HCL_REPORT_MALFORMED'],
    ['another version of the runtime data', { version: 2 }, 'HCL_REPORT_MALFORMED'],
    ['a VBS report', { type: 1 }, 'HCL_REPORT_MALFORMED'],
    ['SHA-384 over the variable data', { hashType: 2 }, 'HCL_REPORT_MALFORMED'],
    ['a report size that does not fit', { reportSize: 2346 }, 'HCL_REPORT_MALFORMED'],
    ['a data size that does not fit', { dataSize: 32 }, 'HCL_REPORT_MALFORMED'],
    ['variable data shorter than said', { variableSize: 10 }, 'HCL_REPORT_MALFORMED'],
    ['more variable data than there is', { variableSize: 5000, dataSize: 5020 }, 'TRUNCATED'],
    ['sizes that overflow', { variableSize: 0xffffffff, dataSize: 19 }, 'HCL_REPORT_MALFORMED'],
    ['something after the variable data', { padding: Uint8Array.of(0, 0, 1) }, 'RESERVED_NOT_ZERO'],
    ['more than 8192 bytes', { padding: new Uint8Array(8192) }, 'HCL_REPORT_MALFORMED'],
  ])('refuses %s', (_what, options, code) => {
    expect(() => parseHclReport(encodeFakeHclReport(hardware, data, options))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('refuses every truncation', () => {
    const bytes = encodeFakeHclReport(hardware, data, { padding: new Uint8Array() });
    expect(parseHclReport(bytes).variableData).toHaveLength(data.byteLength);
    for (const length of range(0, bytes.byteLength)) {
      expect(() => parseHclReport(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
  });

  it('throws nothing but errors of ours', () => {
    const genuine = encodeFakeHclReport(hardware, data);
    const place = fc.oneof(fc.nat(0x20), fc.integer({ min: 0x4c0, max: 0x4f0 }));
    fc.assert(
      fc.property(place, fc.uint8Array({ maxLength: 8 }), (at, bytes) => {
        const changed = Buffer.from(genuine);
        changed.set(bytes, at);
        try {
          parseHclReport(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

describe('vouchesFor', () => {
  const report = parseHclReport(encodeFakeHclReport(hardware, data));
  const digest = createHash('sha256').update(data).digest();
  const reportData = new Uint8Array(64);
  reportData.set(digest);

  it('compares the digest, and zeros after it', () => {
    expect(vouchesFor(reportData, report)).toBe(true);
    expect(vouchesFor(reportData.with(63, 1), report)).toBe(false);
    expect(vouchesFor(reportData.with(0, digest[0]! ^ 1), report)).toBe(false);
    expect(vouchesFor(new Uint8Array(), report)).toBe(false);
  });
});
