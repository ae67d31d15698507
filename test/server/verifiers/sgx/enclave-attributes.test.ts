import { describe, expect, it } from 'vitest';
import {
  readEnclaveAttributes,
  readMiscSelect,
} from '../../../../server/verifiers/sgx/enclave-attributes.ts';

function set(bits: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(bits).filter((name) => bits[name] === true);
}

/** A little-endian field of so many bytes. */
function field(bits: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_byte, index) => Number((bits >> BigInt(8 * index)) & 0xffn));
}

describe('readEnclaveAttributes', () => {
  it.each([
    [0n, 'init'],
    [1n, 'debug'],
    [2n, 'mode64bit'],
    [4n, 'provision_key'],
    [5n, 'einittoken_key'],
    [6n, 'cet'],
    [7n, 'kss'],
    [10n, 'aex_notify'],
    [3n, 'unknown_bits'],
    [63n, 'unknown_bits'],
  ])('knows bit %s as %s and nothing else', (bit, name) => {
    expect(set(readEnclaveAttributes(field(1n << bit, 16)))).toEqual([name]);
  });

  it('does not look at XFRM', () => {
    expect(set(readEnclaveAttributes(field((1n << 128n) - (1n << 64n), 16)))).toEqual([]);
  });
});

describe('readMiscSelect', () => {
  it.each([
    [0, []],
    [1, ['exinfo']],
    [2, ['cpinfo']],
    [0x8000_0003, ['exinfo', 'cpinfo', 'unknown_bits']],
  ])('reads %i', (bits, names) => {
    expect(set(readMiscSelect(field(BigInt(bits), 4)))).toEqual(names);
  });
});
