/** How far a claim or a whole submodule is trusted, from no statement to the worst (EAR, `ear.status`). */
export const TRUST_TIERS = ['none', 'affirming', 'warning', 'contraindicated'] as const;
export type TrustTier = (typeof TRUST_TIERS)[number];

/**
 * The tier of one trustworthiness claim (draft-ietf-rats-ar4si, "Trustworthiness Vector"): -1 to 1 say nothing, the
 * rest of -32..31 affirms, the rest of -96..95 warns. Whatever else came is the worst, a number that is none included.
 */
export function tierOf(claim: number): TrustTier {
  if (claim >= -1 && claim <= 1) return 'none';
  if (claim >= -32 && claim <= 31) return 'affirming';
  if (claim >= -96 && claim <= 95) return 'warning';
  return 'contraindicated';
}

/** The status of a trust vector is that of its worst claim. A vector that claims nothing is `none`. */
export function statusOf(claims: readonly number[]): TrustTier {
  const worst = Math.max(0, ...claims.map((claim) => TRUST_TIERS.indexOf(tierOf(claim))));
  return TRUST_TIERS[worst] ?? 'contraindicated';
}
