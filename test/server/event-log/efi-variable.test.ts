import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEfiVariable } from '../../../server/event-log/efi-variable.ts';
import { fakeVariable } from '../../fakes/event-log-bytes.ts';

const GLOBAL = '61dfe48bca93d211aa0d00e098032b8c';
const empty = new Uint8Array();

describe('readEfiVariable', () => {
  it('reads a variable without data; its GUID in the order of the bytes', () => {
    expect(readEfiVariable(fakeVariable(GLOBAL, 'SecureBoot', empty))).toEqual({
      unicode_name: 'SecureBoot',
      unicode_name_length: 10,
      variable_data: '',
      variable_data_length: 0,
      variable_name: '61dfe48b-ca93-d211-aa0d-00e098032b8c',
    });
  });

  it('reads a variable with data', () => {
    expect(readEfiVariable(fakeVariable(GLOBAL, 'BootOrder', Uint8Array.of(0, 0)))).toMatchObject({
      unicode_name: 'BootOrder',
      variable_data: 'AAA=',
      variable_data_length: 2,
    });
    const sbat = Buffer.from('sbat,1,2023012900\nshim,2\ngrub,3\ngrub.debian,4\n');
    expect(readEfiVariable(fakeVariable('50ab5d6046e00043abb63dd810dd8b23', 'SbatLevel', sbat))).toEqual({
      unicode_name: 'SbatLevel',
      unicode_name_length: 9,
      variable_data: sbat.toString('base64'),
      variable_data_length: 46,
      variable_name: '50ab5d60-46e0-0043-abb6-3dd810dd8b23',
    });
  });

  it('reads every truncation and every extension as malformed', () => {
    const whole = fakeVariable(GLOBAL, 'Boot', Uint8Array.of(1, 2, 3));
    for (let length = 0; length < whole.byteLength; length++) {
      expect(readEfiVariable(whole.subarray(0, length))).toBeUndefined();
    }
    expect(readEfiVariable(Uint8Array.of(...whole, 0))).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ['a name of half a surrogate pair', fakeVariable(GLOBAL, Uint8Array.of(0x00, 0xd8), empty)],
    ['a name beyond the end', fakeVariable(GLOBAL, 'a', empty, { name: 2n })],
    ['a name of 2^64 - 1', fakeVariable(GLOBAL, 'a', empty, { name: (1n << 64n) - 1n })],
    ['data of 2^64 - 1', fakeVariable(GLOBAL, 'a', empty, { data: (1n << 64n) - 1n })],
    ['data beyond the end', fakeVariable(GLOBAL, 'a', empty, { data: 1n })],
  ])('does not read %s', (_what, event) => {
    expect(readEfiVariable(event)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (event) => {
        expect(() => readEfiVariable(event)).not.toThrow();
      }),
    );
  });
});
