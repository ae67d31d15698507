import { type BitNames, readNamedBits } from '../../bytes/named-bits.ts';

/** Intel SDM volume 3D, ATTRIBUTES: the bits of its flags by the names of their claims. */
const ATTRIBUTE_BITS: BitNames = {
  init: 0n,
  debug: 1n,
  mode64bit: 2n,
  provision_key: 4n,
  einittoken_key: 5n,
  cet: 6n,
  kss: 7n,
  aex_notify: 10n,
};

/** Intel SDM volume 3D, MISCSELECT: what the processor reports to the enclave when it leaves it. */
const MISC_SELECT_BITS: BitNames = {
  exinfo: 0n,
  cpinfo: 1n,
};

/** How an enclave was made and what it may do. Bits that have no name are shown, not refused: policies judge. */
export function readEnclaveAttributes(flags: bigint): Readonly<Record<string, boolean>> {
  return readNamedBits(flags, ATTRIBUTE_BITS);
}

/** Which extended state of exits the processor saves for the enclave. */
export function readMiscSelect(bits: number): Readonly<Record<string, boolean>> {
  return readNamedBits(BigInt(bits), MISC_SELECT_BITS);
}
