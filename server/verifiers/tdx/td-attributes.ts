import { ByteReader } from '../../bytes/byte-reader.ts';
import { type BitNames, readNamedBits } from '../../bytes/named-bits.ts';

/**
 * Intel TDX Module Base Architecture Specification, ATTRIBUTES: the bits by the names of their claims. Bits 0 to 7 put a
 * trust domain under debugging or profiling.
 */
const ATTRIBUTE_BITS: BitNames = {
  debug: 0,
  hgs_plus_prof: 4,
  perf_prof: 5,
  pmt_prof: 6,
  icssd: 16,
  lass: 27,
  septve_disable: 28,
  migratable: 29,
  protection_keys: 30,
  key_locker: 31,
  tpa: 62,
  perfmon: 63,
};

/** Intel SDM volume 1, "XSAVE-Supported Features": the state components that XFAM lets a trust domain use. */
const XFAM_BITS: BitNames = {
  x87: 0,
  sse: 1,
  avx: 2,
  mpx_bndregs: 3,
  mpx_bndcsr: 4,
  avx512_opmask: 5,
  avx512_zmm_hi256: 6,
  avx512_hi16_zmm: 7,
  processor_trace: 8,
  pkru: 9,
  pasid: 10,
  cet_user: 11,
  cet_supervisor: 12,
  hdc: 13,
  user_interrupts: 14,
  lbr: 15,
  hwp: 16,
  amx_tile_config: 17,
  amx_tile_data: 18,
  apx: 19,
};

/**
 * How a trust domain was set up by its host, from the 8 bytes of the field. Bits that have no name are shown, not refused:
 * policies judge. Throws MalformedError TRUNCATED.
 */
export function readTdAttributes(field: Uint8Array): Readonly<Record<string, boolean>> {
  return readNamedBits(new ByteReader(field).u64le(), ATTRIBUTE_BITS);
}

/** Which extended features of the processor a trust domain may use, from 8 bytes. Throws MalformedError TRUNCATED. */
export function readXfam(field: Uint8Array): Readonly<Record<string, boolean>> {
  return readNamedBits(new ByteReader(field).u64le(), XFAM_BITS);
}
