/** Bit fields of a specification: each name with the number of its bit. */
export type BitNames = Readonly<Record<string, bigint>>;

/**
 * A field of bits by name. `unknown_bits` says whether a bit is set that has no name in the table, so that a reader who
 * knows nothing of it can tell.
 */
export function readNamedBits(bits: bigint, names: BitNames): Readonly<Record<string, boolean>> {
  const masks = Object.entries(names).map(([name, bit]) => [name, 1n << bit] as const);
  const known = masks.reduce((union, [, mask]) => union | mask, 0n);
  return {
    ...Object.fromEntries(masks.map(([name, mask]) => [name, (bits & mask) !== 0n])),
    unknown_bits: (bits & ~known) !== 0n,
  };
}
