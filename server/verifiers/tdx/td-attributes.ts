import { ByteReader } from '../../bytes/byte-reader.ts';
import { type BitNames, readNamedBits } from '../../bytes/named-bits.ts';

/**
 * Intel TDX Module Base Architecture Specification, ATTRIBUTES: the bits by the names of their claims. Bits 0 to 7 put a
 * trust domain under debugging or profiling.
 */
const ATTRIBUTE_BITS: BitNames = {
  debug: 0n,
  hgs_plus_prof: 4n,
  perf_prof: 5n,
  pmt_prof: 6n,
  icssd: 16n,
  lass: 27n,
  septve_disable: 28n,
  migratable: 29n,
  protection_keys: 30n,
  key_locker: 31n,
  tpa: 62n,
  perfmon: 63n,
};

/** Intel SDM volume 1, "XSAVE-Supported Features": the state components that XFAM lets a trust domain use. */
const XFAM_BITS: BitNames = {
  x87: 0n,
  sse: 1n,
  avx: 2n,
  mpx_bndregs: 3n,
  mpx_bndcsr: 4n,
  avx512_opmask: 5n,
  avx512_zmm_hi256: 6n,
  avx512_hi16_zmm: 7n,
  processor_trace: 8n,
  pkru: 9n,
  pasid: 10n,
  cet_user: 11n,
  cet_supervisor: 12n,
  hdc: 13n,
  user_interrupts: 14n,
  lbr: 15n,
  hwp: 16n,
  amx_tile_config: 17n,
  amx_tile_data: 18n,
  apx: 19n,
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
