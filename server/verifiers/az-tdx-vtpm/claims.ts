import type { Claims } from '../../claims/claims.ts';

/** What the vTPM says stands in the place of what the hardware says, even where a quote leaves PCR 8 out. */
export function azTdxClaims(tdx: Claims, vtpm: Claims): Claims {
  const kept = Object.entries(tdx).filter(([name]) => name !== 'report_data' && name !== 'init_data');
  return { ...Object.fromEntries(kept), ...vtpm };
}
