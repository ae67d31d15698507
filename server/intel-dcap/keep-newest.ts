import type { Collateral, CollateralKind, CollateralStore } from '../collateral/collateral.ts';
import { CodedError } from '../errors/coded-error.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseRevocationList } from '../x509/crl.ts';
import { factsOf, splitDocument } from './signed-document.ts';

/** How one row compares with another of its kind and key. */
interface Standing {
  readonly issuedAt: Date;
  /** tcbEvaluationDataNumber, or the number of a revocation list. */
  readonly number: bigint;
}

/** Intel issues its documents anew for a month each; those of different evaluations exist side by side. */
const GENERATION_MILLISECONDS = 31 * 24 * 3600 * 1000;
const READERS: ReadonlyMap<CollateralKind, (body: Uint8Array) => Standing | undefined> = new Map([
  ['intel-tcb-info', documentStanding],
  ['intel-qe-identity', documentStanding],
  ['intel-crl', listStanding],
  ['intel-ca', authorityStanding],
]);

/**
 * What of an import is to be put: of several documents for one place only the best, and none that is older than what an
 * operator imported or we fetched before. Between evaluations of the same month, `early` takes the higher number and `standard`
 * the lower. What claims to be of the future yields to anything, so that a wrong document does not stay for ever.
 * Rows of other vendors pass as they are.
 */
export async function withoutSuperseded(
  imported: readonly Collateral[],
  store: Pick<CollateralStore, 'find'>,
  at: Date,
): Promise<readonly Collateral[]> {
  const best = new Map<string, Collateral>();
  const others = imported.filter(({ kind }) => !READERS.has(kind));
  for (const row of imported.filter(({ kind }) => READERS.has(kind))) {
    const place = `${row.kind} ${row.key}`;
    const kept = best.get(place) ?? (await store.find(row.kind, row.key));
    best.set(place, kept === undefined ? row : better(row, kept, at));
  }
  const chosen = [...best.values()].filter((row) => imported.includes(row));
  return [...others, ...chosen];
}

function better(candidate: Collateral, kept: Collateral, at: Date): Collateral {
  const [one, other] = [standingOf(candidate), standingOf(kept)];
  if (one === undefined || other === undefined) return one === undefined ? kept : candidate;
  if (one.issuedAt > at !== other.issuedAt > at) return one.issuedAt > at ? kept : candidate;
  return supersedes(one, other, candidate.key) ? candidate : kept;
}

function supersedes(one: Standing, other: Standing, key: string): boolean {
  const later = one.issuedAt.getTime() - other.issuedAt.getTime();
  const isSameGeneration = Math.abs(later) <= GENERATION_MILLISECONDS;
  if (one.number !== other.number && isSameGeneration) {
    if (key.endsWith('/early')) return one.number > other.number;
    if (key.endsWith('/standard')) return one.number < other.number;
  }
  return later === 0 ? one.number >= other.number : later > 0;
}

function standingOf({ kind, body }: Collateral): Standing | undefined {
  try {
    return READERS.get(kind)?.(body);
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function documentStanding(bytes: Uint8Array): Standing | undefined {
  const facts = factsOf(splitDocument(bytes)?.body ?? new Uint8Array());
  return facts && { issuedAt: facts.issuedAt, number: BigInt(facts.evaluation) };
}

function listStanding(der: Uint8Array): Standing {
  const { thisUpdate, number } = parseRevocationList(der);
  return { issuedAt: thisUpdate, number: number ?? 0n };
}

function authorityStanding(der: Uint8Array): Standing {
  return { issuedAt: parseCertificate(der).validity.notBefore, number: 0n };
}
