import { describe, expect, it } from 'vitest';
import { asBuffer, carries } from '../../../server/bytes/byte-strings.ts';

const field = Uint8Array.of(1, 2, 0, 0);

describe('carries', () => {
  it.each([
    ['the whole field', [1, 2, 0, 0], true],
    ['less, padded with zeros', [1, 2], true],
    ['less than the field goes on with', [1], false],
    ['nothing', [], false],
    ['other bytes', [1, 3], false],
    ['more than fits', [1, 2, 0, 0, 0], false],
  ])('compares with %s', (_what, expected, answer) => {
    expect(carries(field, Uint8Array.from(expected))).toBe(answer);
  });
});

it('gives a view as a buffer over the same memory', () => {
  const memory = Uint8Array.from([1, 2, 3, 4]);

  const buffer = asBuffer(memory.subarray(1, 3));
  memory[1] = 9;

  expect(Buffer.isBuffer(buffer)).toBe(true);
  expect([...buffer]).toEqual([9, 3]);
});
