import { ByteReader } from '../../bytes/byte-reader.ts';
import { type BitNames, readNamedBits } from '../../bytes/named-bits.ts';

/** Intel SDM volume 3D, ATTRIBUTES: the bits of its flags by the names of their claims. */
const ATTRIBUTE_BITS: BitNames = {
  init: 0,
  debug: 1,
  mode64bit: 2,
  provision_key: 4,
  einittoken_key: 5,
  cet: 6,
  kss: 7,
  aex_notify: 10,
};

/** Intel SDM volume 3D, MISCSELECT: the bits by the names of their claims. */
const MISC_SELECT_BITS: BitNames = {
  exinfo: 0,
  cpinfo: 1,
};

/**
 * How an enclave was made and what it may do, from the 16 bytes of ATTRIBUTES, of which the first 8 are flags. Bits that have
 * no name are shown, not refused: policies judge. Throws MalformedError TRUNCATED.
 */
export function readEnclaveAttributes(attributes: Uint8Array): Readonly<Record<string, boolean>> {
  return readNamedBits(new ByteReader(attributes).u64le(), ATTRIBUTE_BITS);
}

/** What the processor saves for the enclave when it leaves it, from 4 bytes. Throws MalformedError TRUNCATED. */
export function readMiscSelect(miscSelect: Uint8Array): Readonly<Record<string, boolean>> {
  return readNamedBits(BigInt(new ByteReader(miscSelect).u32le()), MISC_SELECT_BITS);
}
