import { describe, expect, it } from 'vitest';
import { readTdAttributes, readXfam } from '../../../../server/verifiers/tdx/td-attributes.ts';

function set(bits: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(bits).filter((name) => bits[name] === true);
}

function field(bits: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes;
}

describe('readTdAttributes', () => {
  it.each([
    [0n, 'debug'],
    [4n, 'hgs_plus_prof'],
    [5n, 'perf_prof'],
    [6n, 'pmt_prof'],
    [16n, 'icssd'],
    [27n, 'lass'],
    [28n, 'septve_disable'],
    [29n, 'migratable'],
    [30n, 'protection_keys'],
    [31n, 'key_locker'],
    [62n, 'tpa'],
    [63n, 'perfmon'],
    [1n, 'unknown_bits'],
    [32n, 'unknown_bits'],
  ])('knows bit %s as %s and nothing else', (bit, name) => {
    expect(set(readTdAttributes(field(1n << bit)))).toEqual([name]);
  });

  it('names every bit, set or not', () => {
    expect(Object.keys(readTdAttributes(field(0n)))).toEqual(
      Object.keys(readTdAttributes(field((1n << 64n) - 1n))),
    );
    expect(set(readTdAttributes(field(0n)))).toEqual([]);
  });
});

describe('readXfam', () => {
  const NAMES = [
    'x87',
    'sse',
    'avx',
    'mpx_bndregs',
    'mpx_bndcsr',
    'avx512_opmask',
    'avx512_zmm_hi256',
    'avx512_hi16_zmm',
    'processor_trace',
    'pkru',
    'pasid',
    'cet_user',
    'cet_supervisor',
    'hdc',
    'user_interrupts',
    'lbr',
    'hwp',
    'amx_tile_config',
    'amx_tile_data',
    'apx',
  ];

  it('knows the state components in the order of their bits', () => {
    NAMES.forEach((name, bit) => {
      expect(set(readXfam(field(1n << BigInt(bit))))).toEqual([name]);
    });
    expect(set(readXfam(field(1n << 20n)))).toEqual(['unknown_bits']);
  });
});
