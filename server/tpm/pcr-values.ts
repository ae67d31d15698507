import { bytesEqual } from '../bytes/byte-strings.ts';
import { type PcrSelection, selectedCount } from './pcr-selection.ts';
import { TpmError } from './tpm-error.ts';
import { digest, digestBytes, type TpmHash } from './tpm-hash.ts';

/** The values of one bank by the number of their PCR. */
export type PcrValues = ReadonlyMap<number, Uint8Array>;

/** As many as any TPM has in one bank, for all four banks. */
export const MAX_PCR_VALUES = 128;

/**
 * The values of each bank that a quote covers, proven by its digest. The list carries no numbers of its own: which PCR a
 * value is of is what the signed selection says, never its place in the list (TPM 2.0 Part 3, TPM2_Quote; Part 1, "PCR
 * Attestation"). `hash` is that of the signature.
 * Throws TpmError PCR_SELECTION_MISMATCH, PCR_DIGEST_MISMATCH.
 */
export function provePcrValues(
  selection: PcrSelection,
  values: readonly Uint8Array[],
  quoted: { readonly digest: Uint8Array; readonly hash: TpmHash },
): ReadonlyMap<TpmHash, PcrValues> {
  const banks = numberPcrValues(selection, values);
  if (!bytesEqual(digest(quoted.hash, ...values), quoted.digest)) {
    throw new TpmError(
      'PCR_DIGEST_MISMATCH',
      'expected PCR values with the digest that was quoted, got others',
    );
  }
  return banks;
}

/** The values by their banks and numbers, proven or not. Throws TpmError PCR_SELECTION_MISMATCH. */
export function numberPcrValues(
  selection: PcrSelection,
  values: readonly Uint8Array[],
): ReadonlyMap<TpmHash, PcrValues> {
  const count = selectedCount(selection);
  if (count === 0) throw mismatch('a quote that covers PCRs', 'an empty selection');
  if (count !== values.length) throw mismatch(`${count} PCR values, as the quote covers`, `${values.length}`);
  const remaining = values.values();
  return new Map(
    selection.map(({ bank, indices }) => [
      bank,
      new Map(indices.map((index) => [index, valueOf(bank, index, remaining.next().value)])),
    ]),
  );
}

/** Lengths are checked, so that the bytes of two values cannot be cut elsewhere and keep their digest. */
function valueOf(bank: TpmHash, index: number, value: Uint8Array | undefined): Uint8Array {
  if (value?.byteLength === digestBytes(bank)) return value;
  throw mismatch(`${digestBytes(bank)} bytes for PCR ${index} of ${bank}`, `${value?.byteLength ?? 0}`);
}

function mismatch(expected: string, came: string): TpmError {
  return new TpmError('PCR_SELECTION_MISMATCH', `expected ${expected}, got ${came}`);
}
