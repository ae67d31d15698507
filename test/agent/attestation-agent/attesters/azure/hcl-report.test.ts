import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasUserData,
  readHclReport,
} from '../../../../../agent/attestation-agent/attesters/azure/hcl-report.ts';
import { CodedError } from '../../../../../server/errors/coded-error.ts';
import { encodeFakeHclReport, type FakeHclOptions } from '../../../../fakes/fake-azure.ts';

const hardware = new Uint8Array(0x4a0).fill(0x81);
const userData = Buffer.alloc(64, 7);
const variableData = Buffer.from(JSON.stringify({ keys: [], 'user-data': userData.toString('hex') }));
const reportOf = (options: FakeHclOptions = {}, data: Uint8Array = variableData): Uint8Array =>
  encodeFakeHclReport(hardware, data, options);

describe('readHclReport', () => {
  it.each([
    ['snp', 2],
    ['tdx', 4],
  ] as const)('reads a report around %s', (type, number) => {
    const report = readHclReport(reportOf({ type: number }));
    expect(report.type).toBe(type);
    expect(report.hardwareReport).toEqual(Buffer.from(hardware));
    expect(hasUserData(report, userData)).toBe(true);
    expect(hasUserData(report, userData.subarray(1))).toBe(false);
  });

  it('reads one of a paravisor that does not know user data', () => {
    const report = readHclReport(reportOf({}, Buffer.from('{"keys":[]}')));
    expect(report.userData).toBeUndefined();
    expect(hasUserData(report, userData)).toBe(false);
  });

  it.each([
    ['another magic', reportOf({ magic: 'ACLH' }), 'REPORT_MALFORMED'],
    ['another TEE', reportOf({ type: 3 }), 'REPORT_UNSUPPORTED'],
    ['variable data that is no JSON', reportOf({}, Buffer.from('{')), 'REPORT_MALFORMED'],
    ['user data that is no hex', reportOf({}, Buffer.from('{"user-data":"xx"}')), 'REPORT_MALFORMED'],
    ['variable data that breaks off', reportOf({ variableSize: 5000 }), 'REPORT_MALFORMED'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(() => readHclReport(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it('throws nothing but its own errors, for a report cut or changed anywhere', () => {
    const bytes = reportOf();
    const place = fc.nat({ max: bytes.byteLength - 1 });
    fc.assert(
      fc.property(place, place, fc.nat({ max: 255 }), (length, index, value) => {
        try {
          readHclReport(Uint8Array.from(bytes).with(index, value).subarray(0, length));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
