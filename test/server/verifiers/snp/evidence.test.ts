import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { parseJsonWithBigInts } from '../../../../server/json/strict-json.ts';
import { readSnpEvidence } from '../../../../server/verifiers/snp/evidence.ts';
import { PRODUCT_LINES } from '../../../../server/verifiers/snp/product.ts';
import { encodeFakeReport, fakeReport, filled } from '../../../fakes/snp-report.ts';

type Members = Record<string, unknown>;
const signature = { r: filled(72, 1), s: filled(72, 2) };
const der = [0x30, 0];
const pem = [...Buffer.from('-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n')];

function evidence(change: Members = {}, chain?: unknown): Members {
  return { attestation_report: { ...fakeReport('Milan', 3), signature, ...change }, cert_chain: chain };
}

describe('readSnpEvidence', () => {
  it.each(PRODUCT_LINES.flatMap((product) => [2, 3, 4, 5].map((version) => [product, version] as const)))(
    'puts a report of %s version %i together as the firmware wrote it',
    (product, version) => {
      const report = { ...fakeReport(product, version), policy: 0x3ff_ffffn, plat_info: (1n << 64n) - 1n };
      const expected = encodeFakeReport(report, product);
      expected.set(signature.r, 0x2a0);
      expected.set(signature.s, 0x2e8);
      const { report: bytes } = readSnpEvidence({ attestation_report: { ...report, signature } });
      expect(Buffer.from(bytes).equals(expected)).toBe(true);
    },
  );

  it('keeps 64-bit integers exact through JSON', () => {
    const text = JSON.stringify(evidence()).replace('"plat_info":37', '"plat_info":18446744073709551615');
    const { report } = readSnpEvidence(parseJsonWithBigInts(text));
    expect(new DataView(report.buffer).getBigUint64(0x40, true)).toBe((1n << 64n) - 1n);
  });

  it('ignores members that it does not know', () => {
    expect(() => readSnpEvidence({ ...evidence({ new_member: {} }), more: 1 })).not.toThrow();
  });

  it.each([
    ['no table', undefined, undefined],
    ['null', null, undefined],
    ['an empty table', [], undefined],
    [
      'a table without an endorsement key',
      [
        { cert_type: 'ARK', data: der },
        { cert_type: 'Empty', data: [] },
      ],
      undefined,
    ],
    [
      'a VCEK',
      [{ cert_type: 'VCEK', data: der }],
      { endorsementKey: Buffer.from(der), intermediate: undefined },
    ],
    [
      'a VLEK in PEM',
      [{ cert_type: 'VLEK', data: pem }],
      { endorsementKey: Buffer.from(der), intermediate: undefined },
    ],
    [
      'one VCEK twice beside others',
      [
        { cert_type: { OTHER: 'a uuid' }, data: 'not looked at' },
        { cert_type: 'CRL', data: [999] },
        { cert_type: 'ASK', data: pem },
        { cert_type: 'VCEK', data: der },
        { cert_type: 'VCEK', data: pem },
      ],
      { endorsementKey: Buffer.from(der), intermediate: Buffer.from(der) },
    ],
  ])('reads %s', (_what, chain, expected) => {
    const { certificates } = readSnpEvidence(evidence({}, chain));
    expect(certificates && buffers(certificates)).toEqual(expected);
  });

  function buffers(certificates: {
    endorsementKey: Uint8Array;
    intermediate: Uint8Array | undefined;
  }): unknown {
    const { endorsementKey, intermediate } = certificates;
    return {
      endorsementKey: Buffer.from(endorsementKey),
      intermediate: intermediate === undefined ? undefined : Buffer.from(intermediate),
    };
  }

  it.each<[string, Members]>([
    ['a version that is text', { version: '3' }],
    ['a version with a fraction', { version: 3.5 }],
    ['a negative version', { version: -3 }],
    ['a version beyond 32 bits', { version: 2 ** 32 }],
    ['no policy', { policy: undefined }],
    ['a policy beyond 64 bits', { policy: 1n << 64n }],
    ['a negative policy', { policy: -1n }],
    ['a policy that was rounded', { policy: 2 ** 60 }],
    ['a mitigation vector that is text', { launch_mit_vector: '0' }],
    ['report data of 63 bytes', { report_data: filled(63, 0) }],
    ['report data of 65 bytes', { report_data: filled(65, 0) }],
    ['report data that is text', { report_data: 'AAAA' }],
    ['report data that is an object', { report_data: { length: 64 } }],
    ['a byte of 256', { measurement: filled(48, 256) }],
    ['a byte of -1', { measurement: filled(48, -1) }],
    ['a byte of 1.5', { measurement: filled(48, 1.5) }],
    ['bytes that are text', { measurement: Array.from({ length: 48 }, () => '1') }],
    ['no TCB', { reported_tcb: undefined }],
    ['a TCB without microcode', { reported_tcb: { fmc: null, bootloader: 1, tee: 1, snp: 1 } }],
    ['an fmc before Turin', { reported_tcb: { fmc: 1, bootloader: 1, tee: 1, snp: 1, microcode: 1 } }],
    ['a firmware version of 256', { current: { major: 1, minor: 256, build: 1 } }],
    ['a family of 300', { cpuid_fam_id: 300 }],
    ['no signature', { signature: undefined }],
    ['r of 48 bytes', { signature: { ...signature, r: filled(48, 1) } }],
  ])('refuses %s', (_what, change) => {
    expect(() => readSnpEvidence(evidence(change))).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
  });

  it.each<[string, string, unknown]>([
    ['a table that is text', 'EVIDENCE_MALFORMED', 'x'],
    [
      'a table of nine',
      'EVIDENCE_MALFORMED',
      Array.from({ length: 9 }, () => ({ cert_type: 'Empty', data: [] })),
    ],
    ['an entry that is null', 'EVIDENCE_MALFORMED', [null]],
    ['a VCEK without bytes', 'EVIDENCE_MALFORMED', [{ cert_type: 'VCEK', data: [] }]],
    ['a VCEK without data', 'EVIDENCE_MALFORMED', [{ cert_type: 'VCEK' }]],
    ['a VCEK of 8193 bytes', 'EVIDENCE_MALFORMED', [{ cert_type: 'VCEK', data: filled(8193, 0x30) }]],
    ['a VCEK that is neither DER nor PEM', 'CERTIFICATE_MALFORMED', [{ cert_type: 'VCEK', data: [1, 2, 3] }]],
    [
      'two different keys',
      'ENDORSEMENT_KEY_AMBIGUOUS',
      [
        { cert_type: 'VCEK', data: der },
        { cert_type: 'VLEK', data: [0x30, 1, 0] },
      ],
    ],
  ])('refuses %s with %s', (_what, code, chain) => {
    expect(() => readSnpEvidence(evidence({}, chain))).toThrow(expect.objectContaining({ code }));
  });

  it.each([undefined, null, 1, 'x', [], {}, { attestation_report: null }])(
    'refuses %j as evidence',
    (value) => {
      expect(() => readSnpEvidence(value)).toThrow(expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }));
    },
  );

  it('never throws a foreign error', () => {
    const names = [...Object.keys(fakeReport('Milan', 3)), 'signature'];
    const anything = fc.anything({ withBigInt: true });
    fc.assert(
      fc.property(fc.constantFrom(...names), anything, anything, (name, value, chain) => {
        try {
          readSnpEvidence(evidence({ [name]: value }, chain));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
