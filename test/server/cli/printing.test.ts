import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cell, printable, printableJson, table } from '../../../server/cli/printing.ts';

const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

it('lets nothing through that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.json(), (text, json) => {
      expect(printable(text)).not.toMatch(CONTROL);
      expect(printable(text)).not.toContain('\n');
      expect(printableJson(JSON.parse(json) as never)).not.toMatch(CONTROL);
      expect(table([text], [[text]])).not.toMatch(CONTROL);
    }),
  );
});

it('prints JSON that says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(printableJson(value as never))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it('aligns columns', () => {
  expect(
    table(
      ['A', 'LONG'],
      [
        ['xyz', '1'],
        ['', '2'],
      ],
    ),
  ).toBe('A    LONG\nxyz  1\n     2\n');
});

it('cuts what is long and shows what is absent', () => {
  expect(cell('abcdef', 4)).toBe('abc…');
  expect([cell(null), cell(undefined), cell(['a']), cell(1)]).toEqual(['-', '-', '["a"]', '1']);
});
