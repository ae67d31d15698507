import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCertificateTable } from '../../../../../agent/attestation-agent/attesters/snp/certificate-table.ts';
import { CodedError } from '../../../../../server/errors/coded-error.ts';
import { fakeCertificateTable, GUIDS } from '../../../../fakes/snp-certificate-table.ts';

const [vcek, ask, ark] = [Buffer.from('the VCEK'), Buffer.from('the ASK'), Buffer.from('the ARK')];

describe('readCertificateTable', () => {
  it('reads certificates by their GUIDs, whatever surrounds them', () => {
    const table = fakeCertificateTable(
      [
        [GUIDS.VCEK, vcek],
        [GUIDS.ASK, ask],
        [GUIDS.ARK, ark],
        [GUIDS.VLEK, vcek],
        [GUIDS.CRL, ask],
        ['00112233-4455-6677-8899-aabbccddeeff', ark],
      ],
      4096,
    );
    expect(readCertificateTable(table)).toEqual([
      { type: 'VCEK', bytes: vcek },
      { type: 'ASK', bytes: ask },
      { type: 'ARK', bytes: ark },
      { type: 'VLEK', bytes: vcek },
      { type: 'CRL', bytes: ask },
      { type: { OTHER: '00112233-4455-6677-8899-aabbccddeeff' }, bytes: ark },
    ]);
  });

  it.each([
    ['no bytes', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(16_384)],
    ['an empty table', fakeCertificateTable([])],
  ])('takes %s for a host without certificates', (_what, table) => {
    expect(readCertificateTable(table)).toEqual([]);
  });

  it.each([
    ['no end', fakeCertificateTable([[GUIDS.VCEK, vcek]]).subarray(0, 24)],
    ['less than an entry', Buffer.alloc(23)],
    ['a certificate behind its end', fakeCertificateTable([[GUIDS.VCEK, vcek]]).subarray(0, -1)],
    [
      'more certificates than servers read',
      fakeCertificateTable(Array.from({ length: 9 }, () => [GUIDS.ARK, ark])),
    ],
    ['an offset that makes the sum wrap', withOffset(0xffff_ffff)],
  ])('refuses a table with %s', (_what, table) => {
    expect(() => readCertificateTable(table)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_TABLE_MALFORMED' }),
    );
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          readCertificateTable(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

function withOffset(offset: number): Buffer {
  const table = fakeCertificateTable([[GUIDS.VCEK, vcek]]);
  table.writeUInt32LE(offset, 16);
  return table;
}
