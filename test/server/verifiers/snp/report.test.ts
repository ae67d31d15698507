import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { parseSnpReport, REPORT_BYTES } from '../../../../server/verifiers/snp/report.ts';
import { encodeFakeReport, fakeReport } from '../../../fakes/snp-report.ts';

const bytesOf = (version: number, mutate: (view: DataView) => void = () => undefined): Uint8Array => {
  const bytes = encodeFakeReport(
    fakeReport(version === 5 ? 'Turin' : 'Milan', version),
    version === 5 ? 'Turin' : 'Milan',
  );
  mutate(new DataView(bytes.buffer));
  return bytes;
};

describe('parseSnpReport', () => {
  it.each([2, 3, 4, 5])('reads version %i', (version) => {
    const report = parseSnpReport(
      bytesOf(version, (view) => {
        view.setUint32(0x004, 7, true);
        view.setUint32(0x048, 0b101, true);
        view.setUint8(0x050, 0xaa);
        view.setUint8(0x0c0, 0xbb);
        view.setUint8(0x1e8, 9);
        view.setUint8(0x2a0, 0xcc);
        view.setUint8(0x2e8, 0xdd);
      }),
    );
    expect(report).toMatchObject({
      version,
      guestSvn: 7,
      vmpl: 0,
      signatureAlgorithm: 1,
      signingKey: 'vlek',
    });
    expect(report.isAuthorKeyEnabled).toBe(true);
    expect(report.reportData[0]).toBe(0xaa);
    expect(report.hostData[0]).toBe(0xbb);
    expect(report.currentVersion).toEqual({ major: 1, minor: 55, build: 9 });
    expect(report.committedVersion).toEqual({ major: 1, minor: 55, build: 29 });
    expect([report.signature.r[0], report.signature.s[0]]).toEqual([0xcc, 0xdd]);
    expect(report.signedBytes.byteLength).toBe(0x2a0);
    expect(report.cpuid === undefined).toBe(version === 2);
    expect(report.mitigations === undefined).toBe(version < 5);
    expect(report.chipId.byteLength).toBe(64);
  });

  it('reads mitigation vectors as 64 bits', () => {
    const report = parseSnpReport(
      bytesOf(5, (view) => {
        view.setBigUint64(0x200, (1n << 64n) - 1n, true);
      }),
    );
    expect(report.mitigations).toEqual({ launch: 0n, current: (1n << 64n) - 1n });
  });

  it.each<[string, string, number, (view: DataView) => void]>([
    [
      'version 1',
      'REPORT_VERSION_UNSUPPORTED',
      3,
      (view) => {
        view.setUint32(0, 1, true);
      },
    ],
    [
      'version 6',
      'REPORT_VERSION_UNSUPPORTED',
      3,
      (view) => {
        view.setUint32(0, 6, true);
      },
    ],
    [
      'version 0x10003',
      'REPORT_VERSION_UNSUPPORTED',
      3,
      (view) => {
        view.setUint32(0, 0x1_0003, true);
      },
    ],
    [
      'a policy without bit 17',
      'GUEST_POLICY_MALFORMED',
      3,
      (view) => {
        view.setBigUint64(8, 0x1_0000n, true);
      },
    ],
    [
      'a policy with bit 26',
      'GUEST_POLICY_MALFORMED',
      3,
      (view) => {
        view.setBigUint64(8, 0x402_0000n, true);
      },
    ],
    [
      'a policy with bit 63',
      'GUEST_POLICY_MALFORMED',
      3,
      (view) => {
        view.setUint8(15, 0x80);
      },
    ],
    [
      'a reserved signing key',
      'KEY_INFO_MALFORMED',
      3,
      (view) => {
        view.setUint32(0x48, 2 << 2, true);
      },
    ],
    [
      'a reserved bit of the key info',
      'KEY_INFO_MALFORMED',
      3,
      (view) => {
        view.setUint32(0x48, 1 << 5, true);
      },
    ],
    [
      'a masked key that signs',
      'KEY_INFO_MALFORMED',
      3,
      (view) => {
        view.setUint32(0x48, 0b10, true);
      },
    ],
    [
      'a reserved byte at 0x4c',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x4c, 1);
      },
    ],
    [
      'CPUID in version 2',
      'RESERVED_NOT_ZERO',
      2,
      (view) => {
        view.setUint8(0x188, 1);
      },
    ],
    [
      'a reserved byte at 0x18b',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x18b, 1);
      },
    ],
    [
      'a reserved byte at 0x19f',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x19f, 1);
      },
    ],
    [
      'a reserved byte at 0x1eb',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x1eb, 1);
      },
    ],
    [
      'a reserved byte at 0x1ef',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x1ef, 1);
      },
    ],
    [
      'a mitigation vector in version 4',
      'RESERVED_NOT_ZERO',
      4,
      (view) => {
        view.setUint8(0x1f8, 1);
      },
    ],
    [
      'a reserved byte at 0x208',
      'RESERVED_NOT_ZERO',
      5,
      (view) => {
        view.setUint8(0x208, 1);
      },
    ],
    [
      'a reserved byte at 0x29f',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x29f, 1);
      },
    ],
    [
      'a reserved byte behind the signature',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x330, 1);
      },
    ],
    [
      'a reserved last byte',
      'RESERVED_NOT_ZERO',
      3,
      (view) => {
        view.setUint8(0x49f, 1);
      },
    ],
  ])('refuses %s with %s', (_what, code, version, mutate) => {
    expect(() => parseSnpReport(bytesOf(version, mutate))).toThrow(expect.objectContaining({ code }));
  });

  it('accepts platform bits that it does not know', () => {
    const report = parseSnpReport(
      bytesOf(3, (view) => {
        view.setBigUint64(0x40, (1n << 63n) | 0b100_0001n, true);
      }),
    );
    expect(report.platformInfo).toMatchObject({ smtEnabled: true, tsmeEnabled: false });
  });

  it('refuses every truncation and every extension', () => {
    const whole = bytesOf(3);
    for (let length = 0; length < REPORT_BYTES; length++) {
      expect(() => parseSnpReport(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
    expect(() => parseSnpReport(Uint8Array.of(...whole, 0))).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES' }),
    );
  });

  it('never throws a foreign error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 0x500 }), fc.integer({ min: 2, max: 5 }), (bytes, version) => {
        if (bytes.byteLength > 0) bytes[0] = version;
        try {
          parseSnpReport(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
