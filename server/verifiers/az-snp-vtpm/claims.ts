import { fromHex, toBase64 } from '../../bytes/encoding.ts';
import type { Claims, Json } from '../../claims/claims.ts';

/** What the vTPM says in their place (`report_data`, `init_data`), and what names the machine. */
const REPLACED: ReadonlySet<string> = new Set(['report_data', 'init_data', 'chip_id']);

/**
 * The claims of an SNP report as policies for Azure know them: every one is text, numbers in decimal, booleans `true` and
 * `false`, the measurement in base64 and not in hex; no chip id. What the quote says comes after them.
 */
export function azSnpClaims(snp: Claims, vtpm: Claims): Claims {
  const kept = Object.entries(snp).filter(([name]) => !REPLACED.has(name));
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, textOf(name, value)])), ...vtpm };
}

function textOf(name: string, value: Json): Json {
  if (name === 'measurement' && typeof value === 'string') return toBase64(fromHex(value));
  return typeof value === 'number' || typeof value === 'boolean' ? `${value}` : value;
}
