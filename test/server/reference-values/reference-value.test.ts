import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  referenceValueContentSchema,
  referenceValueNameSchema,
} from '../../../server/reference-values/reference-value.ts';

describe('the name of a reference value', () => {
  it.each(['svn', 'snp_launch_measurement', 'rvps:///a/b:v1', 'größe', 'x'.repeat(256)])(
    'may be %j',
    (name) => {
      expect(referenceValueNameSchema.parse(name)).toBe(name);
    },
  );

  it.each(['', 'x'.repeat(257), 'a\nb', 'a\0', '\u001b[31m', 'a\u0085b', '\ud800'])(
    'may not be %j',
    (name) => {
      expect(referenceValueNameSchema.safeParse(name).success).toBe(false);
    },
  );
});

describe('a reference value', () => {
  it('may be any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(referenceValueContentSchema.safeParse(value).success).toBe(true);
      }),
    );
  });

  it.each([['a\0'], [{ 'a\0': 1 }], [[['\ud800']]], [{ a: { '\udc00': 1 } }]])(
    'holds no text that the database cannot keep: %j',
    (value) => {
      expect(referenceValueContentSchema.safeParse(value).success).toBe(false);
    },
  );

  it('has a largest size', () => {
    const sized = (length: number): string => 'x'.repeat(length - 2);
    expect(referenceValueContentSchema.safeParse(sized(262_144)).success).toBe(true);
    expect(referenceValueContentSchema.safeParse(sized(262_145)).success).toBe(false);
  });
});
