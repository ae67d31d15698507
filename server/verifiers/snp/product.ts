import { SnpEvidenceError } from './snp-evidence-error.ts';

/** AMD's product lines, by the names of its key service. Each has its own ARK, ASK and ASVK. */
export const PRODUCT_LINES = ['Milan', 'Genoa', 'Turin'] as const;
export type ProductLine = (typeof PRODUCT_LINES)[number];

/** Family, model and stepping as reports of version 3 and later carry them. */
export interface Cpuid {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

/**
 * AMD 57230 (VCEK and KDS interface), product names by CPUID. Bergamo and Siena (models A0h to AFh) are endorsed
 * under Genoa.
 */
const MODELS: readonly {
  readonly family: number;
  readonly first: number;
  readonly last: number;
  readonly product: ProductLine;
}[] = [
  { family: 0x19, first: 0x00, last: 0x0f, product: 'Milan' },
  { family: 0x19, first: 0x10, last: 0x1f, product: 'Genoa' },
  { family: 0x19, first: 0xa0, last: 0xaf, product: 'Genoa' },
  { family: 0x1a, first: 0x00, last: 0x11, product: 'Turin' },
];
/** VCEKs carry a stepping (`Milan-B0`), VLEKs the line alone. */
const PRODUCT_NAME = /^([A-Za-z]{1,16})(?:-[A-Z0-9]{1,4})?$/;

/** Throws SnpEvidenceError PRODUCT_UNSUPPORTED. */
export function productOfCpuid({ family, model }: Cpuid): ProductLine {
  const row = MODELS.find((each) => each.family === family && each.first <= model && model <= each.last);
  if (row === undefined) {
    throw new SnpEvidenceError(
      'PRODUCT_UNSUPPORTED',
      `expected a Milan, Genoa or Turin processor, got family 0x${family.toString(16)} model 0x${model.toString(16)}`,
    );
  }
  return row.product;
}

/** The line in a product name of AMD's certificates, `undefined` when it is none of ours. */
export function productOfName(name: string): ProductLine | undefined {
  const line = PRODUCT_NAME.exec(name)?.[1];
  return PRODUCT_LINES.find((product) => product === line);
}
