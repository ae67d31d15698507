import { SnpEvidenceError } from './snp-evidence-error.ts';

/** AMD 56860 rev. 1.58, Guest Policy: the bits by name. No other place knows their numbers. */
const POLICY_BITS = {
  smtAllowed: 16n,
  migrationAgentAllowed: 18n,
  debugAllowed: 19n,
  singleSocketRequired: 20n,
  cxlAllowed: 21n,
  memoryAes256XtsRequired: 22n,
  raplDisableRequired: 23n,
  ciphertextHidingRequired: 24n,
  pageSwapDisabled: 25n,
} as const;
const MUST_BE_ONE = 1n << 17n;
const FIRST_RESERVED_BIT = 26n;

/** What the guest's owner allowed and required at launch. Judged by policies, not here. */
export type GuestPolicy = Readonly<Record<keyof typeof POLICY_BITS, boolean>> & {
  readonly abiMajor: number;
  readonly abiMinor: number;
};

/** Throws SnpEvidenceError GUEST_POLICY_MALFORMED when bit 17 is not one or a reserved bit is not zero. */
export function readGuestPolicy(bits: bigint): GuestPolicy {
  if ((bits & MUST_BE_ONE) === 0n || bits >> FIRST_RESERVED_BIT !== 0n) {
    throw new SnpEvidenceError(
      'GUEST_POLICY_MALFORMED',
      `expected bit 17 of the guest policy to be 1 and bits 63 to 26 to be 0, got 0x${bits.toString(16)}`,
    );
  }
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n;
  return {
    abiMinor: Number(bits & 0xffn),
    abiMajor: Number((bits >> 8n) & 0xffn),
    smtAllowed: has(POLICY_BITS.smtAllowed),
    migrationAgentAllowed: has(POLICY_BITS.migrationAgentAllowed),
    debugAllowed: has(POLICY_BITS.debugAllowed),
    singleSocketRequired: has(POLICY_BITS.singleSocketRequired),
    cxlAllowed: has(POLICY_BITS.cxlAllowed),
    memoryAes256XtsRequired: has(POLICY_BITS.memoryAes256XtsRequired),
    raplDisableRequired: has(POLICY_BITS.raplDisableRequired),
    ciphertextHidingRequired: has(POLICY_BITS.ciphertextHidingRequired),
    pageSwapDisabled: has(POLICY_BITS.pageSwapDisabled),
  };
}
