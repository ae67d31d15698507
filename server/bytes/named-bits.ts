/** Bit fields of a specification: each name with the number of its bit. */
export type BitNames = Readonly<Record<string, number>>;

const HALF = 32n;

/**
 * A field of bits by name. `unknown_bits` says whether a bit is set that has no name in the table, so that a reader who
 * knows nothing of it can tell.
 */
export function readNamedBits(bits: bigint, names: BitNames): Readonly<Record<string, boolean>> {
  // Every request reads some: two halves as numbers are ten times as fast as one bigint.
  const halves = [Number(BigInt.asUintN(32, bits)), Number(BigInt.asUintN(32, bits >> HALF))] as const;
  const known: [number, number] = [0, 0];
  const named: Record<string, boolean> = {};
  for (const [name, bit] of Object.entries(names)) {
    const half = bit < 32 ? 0 : 1;
    const mask = 1 << bit; // modulo 32
    known[half] |= mask;
    named[name] = (halves[half] & mask) !== 0;
  }
  named['unknown_bits'] = ((halves[0] & ~known[0]) | (halves[1] & ~known[1])) !== 0;
  return named;
}
