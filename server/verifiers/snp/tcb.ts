import { ByteReader } from '../../bytes/byte-reader.ts';
import type { ProductLine } from './product.ts';

/** The components of a TCB_VERSION. `fmc` exists on Turin only. Each is 0 to 255. */
export interface SnpTcb {
  readonly fmc: number | undefined;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
}

const COMPONENTS = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const;
export type TcbComponent = (typeof COMPONENTS)[number];

/** AMD 56860 rev. 1.58, TCB_VERSION: what each of the eight bytes holds. `undefined` is reserved. */
type Layout = readonly (TcbComponent | undefined)[];
const UP_TO_GENOA: Layout = [
  'bootloader',
  'tee',
  undefined,
  undefined,
  undefined,
  undefined,
  'snp',
  'microcode',
];
const FROM_TURIN: Layout = ['fmc', 'bootloader', 'tee', 'snp', undefined, undefined, undefined, 'microcode'];

/** The layout depends on the product: the same byte is another component on Turin. */
export const TCB_LAYOUTS: Readonly<Record<ProductLine, Layout>> = {
  Milan: UP_TO_GENOA,
  Genoa: UP_TO_GENOA,
  Turin: FROM_TURIN,
};

/** Reads the eight bytes of a TCB_VERSION. Throws MalformedError: TRUNCATED, TRAILING_BYTES, RESERVED_NOT_ZERO. */
export function readTcb(bytes: Uint8Array, product: ProductLine): SnpTcb {
  const reader = new ByteReader(bytes);
  const tcb: Record<TcbComponent, number | undefined> = {
    fmc: undefined,
    bootloader: 0,
    tee: 0,
    snp: 0,
    microcode: 0,
  };
  for (const component of TCB_LAYOUTS[product]) {
    if (component === undefined) reader.reserved(1);
    else tcb[component] = reader.u8();
  }
  reader.end();
  const { fmc, bootloader = 0, tee = 0, snp = 0, microcode = 0 } = tcb;
  return { fmc, bootloader, tee, snp, microcode };
}

/** The eight bytes of a TCB_VERSION: the inverse of readTcb. */
export function writeTcb(tcb: SnpTcb, product: ProductLine): Uint8Array {
  return Uint8Array.from(
    TCB_LAYOUTS[product].map((component) => (component === undefined ? 0 : (tcb[component] ?? 0))),
  );
}

/** A TCB is at least another only when every component is. The packed integers do not order. */
export function isTcbAtLeast(actual: SnpTcb, minimum: SnpTcb): boolean {
  return COMPONENTS.every((component) => (actual[component] ?? 0) >= (minimum[component] ?? 0));
}

export function isSameTcb(left: SnpTcb, right: SnpTcb): boolean {
  return COMPONENTS.every((component) => left[component] === right[component]);
}

/** For messages: `bootloader 3, tee 0, snp 8, microcode 115`. */
export function tcbText(tcb: SnpTcb): string {
  return COMPONENTS.filter((component) => tcb[component] !== undefined)
    .map((component) => `${component} ${tcb[component] ?? 0}`)
    .join(', ');
}
