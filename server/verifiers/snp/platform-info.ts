/**
 * AMD 56860 rev. 1.58, PLATFORM_INFO: the bits by name. Other bits are not refused: shipped Turin firmware sets one
 * that the specification reserves.
 */
const PLATFORM_BITS = {
  smtEnabled: 0n,
  tsmeEnabled: 1n,
  eccEnabled: 2n,
  raplDisabled: 3n,
  ciphertextHidingEnabled: 4n,
  aliasCheckComplete: 5n,
  tioEnabled: 7n,
} as const;

/** How the platform is set up, as its firmware saw it. */
export type PlatformInfo = Readonly<Record<keyof typeof PLATFORM_BITS, boolean>>;

export function readPlatformInfo(bits: bigint): PlatformInfo {
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n;
  return {
    smtEnabled: has(PLATFORM_BITS.smtEnabled),
    tsmeEnabled: has(PLATFORM_BITS.tsmeEnabled),
    eccEnabled: has(PLATFORM_BITS.eccEnabled),
    raplDisabled: has(PLATFORM_BITS.raplDisabled),
    ciphertextHidingEnabled: has(PLATFORM_BITS.ciphertextHidingEnabled),
    aliasCheckComplete: has(PLATFORM_BITS.aliasCheckComplete),
    tioEnabled: has(PLATFORM_BITS.tioEnabled),
  };
}
