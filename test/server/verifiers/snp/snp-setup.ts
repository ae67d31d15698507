import { expect } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import type { CollateralStore } from '../../../../server/collateral/collateral.ts';
import { PRODUCT_LINES, type ProductLine } from '../../../../server/verifiers/snp/product.ts';
import { createSnpVerifier, type SnpVerifierOptions } from '../../../../server/verifiers/snp/snp-verifier.ts';
import type { ExpectedBinding, Verifier } from '../../../../server/verifiers/verifier.ts';
import type { FakeAmd } from '../../../fakes/fake-amd.ts';

export const NOW = new Date('2026-06-01T00:00:00Z');
export const NOTHING: ExpectedBinding = { reportData: undefined, initDataDigest: undefined };

/** Current revocation lists that name nobody. */
export async function putLists(
  store: CollateralStore,
  amd: FakeAmd,
  products: readonly ProductLine[] = PRODUCT_LINES,
): Promise<void> {
  for (const key of products) {
    const body = await amd.revocationList(key);
    await store.put({ kind: 'snp-crl', key, body, expiresAt: undefined, source: 'imported' });
  }
}

/** Offline and strict, but for what the options say. */
export function verifierWith(
  amd: FakeAmd,
  store: CollateralStore,
  options: Partial<SnpVerifierOptions> = {},
): Verifier {
  const strict = { kds: undefined, revocation: 'required', maxStaleSeconds: 0 } as const;
  return createSnpVerifier({ anchors: amd.anchors, store, ...strict, ...options });
}

export async function claimsAt(
  at: Date,
  verifier: Verifier,
  evidence: unknown,
  expected: Partial<ExpectedBinding> = {},
): Promise<Claims> {
  const proven = await verifier.verify(evidence, { ...NOTHING, ...expected }, at);
  expect(proven).toHaveLength(1);
  expect(proven[0].class).toBe('cpu');
  return proven[0].claims;
}
