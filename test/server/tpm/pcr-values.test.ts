import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { PcrSelection } from '../../../server/tpm/pcr-selection.ts';
import { provePcrValues } from '../../../server/tpm/pcr-values.ts';
import { fakePcrs } from '../../fakes/tpm-quote.ts';

const [zero, one, two] = fakePcrs() as [Uint8Array, Uint8Array, Uint8Array];
const long = new Uint8Array(48).fill(0x48);
const selection: PcrSelection = [{ bank: 'sha256', indices: [0, 11, 23] }];

function digestOf(...values: readonly Uint8Array[]): { digest: Uint8Array; hash: 'sha256' } {
  return { digest: createHash('sha256').update(Buffer.concat(values)).digest(), hash: 'sha256' };
}

describe('provePcrValues', () => {
  it('maps values by the numbers of the selection, not by their place', () => {
    const banks = provePcrValues(selection, [zero, one, two], digestOf(zero, one, two));
    expect([...banks.get('sha256')!]).toEqual([
      [0, zero],
      [11, one],
      [23, two],
    ]);
  });

  it('maps the values of several banks in the order of the banks', () => {
    const banks = provePcrValues(
      [
        { bank: 'sha384', indices: [8] },
        { bank: 'sha256', indices: [8] },
      ],
      [long, one],
      digestOf(long, one),
    );
    expect(banks.get('sha384')!.get(8)).toBe(long);
    expect(banks.get('sha256')!.get(8)).toBe(one);
  });

  it('makes the digest with the hash of the signature', () => {
    const digest = createHash('sha512')
      .update(Buffer.concat([zero, one, two]))
      .digest();
    expect(provePcrValues(selection, [zero, one, two], { digest, hash: 'sha512' }).size).toBe(1);
    expect(() => provePcrValues(selection, [zero, one, two], { digest, hash: 'sha384' })).toThrow(
      expect.objectContaining({ code: 'PCR_DIGEST_MISMATCH' }),
    );
  });

  it.each<[string, PcrSelection, readonly Uint8Array[], string]>([
    ['more values than bits', selection, [zero, one, two, two], 'PCR_SELECTION_MISMATCH'],
    ['fewer values than bits', selection, [zero, one], 'PCR_SELECTION_MISMATCH'],
    ['no bank', [], [], 'PCR_SELECTION_MISMATCH'],
    ['banks without PCRs', [{ bank: 'sha256', indices: [] }], [], 'PCR_SELECTION_MISMATCH'],
    [
      'values of another bank',
      [{ bank: 'sha384', indices: [0, 11, 23] }],
      [zero, one, two],
      'PCR_SELECTION_MISMATCH',
    ],
    [
      'the same bytes cut elsewhere',
      [{ bank: 'sha256', indices: [0, 1] }],
      [Buffer.concat([zero, one.subarray(0, 16)]), one.subarray(16)],
      'PCR_SELECTION_MISMATCH',
    ],
  ])('refuses %s', (_what, banks, values, code) => {
    expect(() => provePcrValues(banks, values, digestOf(...values))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('refuses values in another order, and one that is not what was quoted', () => {
    for (const values of [
      [one, zero, two],
      [zero, one, two.with(31, 0)],
    ]) {
      expect(() => provePcrValues(selection, values, digestOf(zero, one, two))).toThrow(
        expect.objectContaining({ code: 'PCR_DIGEST_MISMATCH' }),
      );
    }
  });
});
