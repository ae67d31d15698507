import type { Collateral } from './collateral.ts';
import { CollateralError } from './collateral-error.ts';

/** Tells what imported bytes are: one file may hold several (a PEM bundle). Empty when it knows none of them. */
export type ClassifyCollateral = (bytes: Uint8Array) => readonly Collateral[];

export interface ImportItem {
  /** For messages: the name that the sender gave it. */
  readonly name: string;
  readonly body: Uint8Array;
}

/**
 * Keeps what the vendors signed, told apart by content. Nothing is believed: it is verified each time it is used.
 * All or nothing: an item that is not recognised refuses the whole import. Throws CollateralError.
 */
export async function importCollateral(
  items: readonly ImportItem[],
  classify: ClassifyCollateral,
  putAll: (collateral: readonly Collateral[]) => Promise<void>,
): Promise<readonly Collateral[]> {
  const recognized = items.flatMap(({ name, body }) => {
    const found = classify(body);
    if (found.length === 0) {
      throw new CollateralError(
        'COLLATERAL_UNRECOGNIZED',
        `expected a certificate, a revocation list, TCB info or an enclave identity of a TEE vendor in '${name}', got ${body.byteLength} bytes of something else`,
      );
    }
    return found;
  });
  await putAll(recognized);
  return recognized;
}
