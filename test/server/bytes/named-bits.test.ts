import { describe, expect, it } from 'vitest';
import { readNamedBits } from '../../../server/bytes/named-bits.ts';

const NAMES = { first: 0, last: 63 };

describe('readNamedBits', () => {
  it.each([
    [0n, { first: false, last: false, unknown_bits: false }],
    [1n, { first: true, last: false, unknown_bits: false }],
    [1n << 63n, { first: false, last: true, unknown_bits: false }],
    [1n << 62n, { first: false, last: false, unknown_bits: true }],
    [(1n << 64n) - 1n, { first: true, last: true, unknown_bits: true }],
  ])('reads 0x%s', (bits, expected) => {
    expect(readNamedBits(bits, NAMES)).toEqual(expected);
  });

  it('knows no bit without a name', () => {
    expect(readNamedBits(1n, {})).toEqual({ unknown_bits: true });
  });
});
