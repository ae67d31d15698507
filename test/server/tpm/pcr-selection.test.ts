import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../server/bytes/byte-reader.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { type PcrSelection, readPcrSelection, selectedCount } from '../../../server/tpm/pcr-selection.ts';
import { encodeFakeSelection, type FakeBank } from '../../fakes/tpm-quote.ts';

const read = (banks: readonly FakeBank[]): PcrSelection =>
  readPcrSelection(new ByteReader(encodeFakeSelection(banks)));

describe('readPcrSelection', () => {
  it('reads the numbers of each bank, ascending, in the order of the banks', () => {
    const selection = read([
      { algorithm: 0x0c, indices: [23, 0, 8] },
      { algorithm: 0x04, indices: [], bitmapBytes: 1 },
      { algorithm: 0x0b, indices: [31, 7], bitmapBytes: 4 },
      { algorithm: 0x0d, indices: [9, 10], bitmapBytes: 2 },
    ]);
    expect(selection).toEqual([
      { bank: 'sha384', indices: [0, 8, 23] },
      { bank: 'sha1', indices: [] },
      { bank: 'sha256', indices: [7, 31] },
      { bank: 'sha512', indices: [9, 10] },
    ]);
    expect(selectedCount(selection)).toBe(7);
    expect(read([])).toEqual([]);
  });

  it.each<[string, readonly FakeBank[], string]>([
    [
      'a bank twice',
      [
        { algorithm: 0x0b, indices: [0] },
        { algorithm: 0x0b, indices: [1] },
      ],
      'PCR_SELECTION_MALFORMED',
    ],
    [
      'five banks',
      [4, 0xb, 0xc, 0xd, 0x12].map((algorithm) => ({ algorithm, indices: [0] })),
      'PCR_SELECTION_MALFORMED',
    ],
    ['no bitmap', [{ algorithm: 0x0b, indices: [], bitmapBytes: 0 }], 'PCR_SELECTION_MALFORMED'],
    ['a bitmap of five bytes', [{ algorithm: 0x0b, indices: [], bitmapBytes: 5 }], 'PCR_SELECTION_MALFORMED'],
    ['an unknown bank', [{ algorithm: 0x27, indices: [0] }], 'PCR_BANK_UNSUPPORTED'],
  ])('refuses %s', (_what, banks, code) => {
    expect(() => read(banks)).toThrow(expect.objectContaining({ code }));
  });

  it('throws nothing but errors of ours', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.uint8Array({ maxLength: 40 }), (count, rest) => {
        try {
          const selection = readPcrSelection(new ByteReader(Uint8Array.of(0, 0, 0, count, ...rest)));
          expect(selection).toHaveLength(count);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
