import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import type { Certificate } from '../x509/certificate.ts';
import { nameOf } from '../x509/chain.ts';
import { freshnessOf, type VerifiedRevocationList } from '../x509/crl.ts';
import { X509Error } from '../x509/x509-error.ts';

/** `stale`: a list's nextUpdate was past, within what the configuration allows. */
export type RevocationStatus = 'good' | 'stale' | 'not-checked';

export interface FreshnessOptions {
  /** `when-available` is for sites that cannot have revocation lists. */
  readonly revocation: 'required' | 'when-available';
  /** How far past its nextUpdate collateral may be. */
  readonly maxStaleSeconds: number;
}

/** A document of Intel's, with who signed it. */
interface SignedBetween {
  readonly value: { readonly issueDate: Date; readonly nextUpdate: Date };
  readonly signers: readonly Certificate[];
}

/** From when to when all that was used is valid. */
export interface CollateralDates {
  readonly earliestIssue: Date;
  readonly latestIssue: Date;
  readonly earliestExpiration: Date;
}

/**
 * Documents have to be of now, or past their time by no more than is allowed; so have the certificates of who signed them.
 * Throws CouldNotCheckError COLLATERAL_UNAVAILABLE, COLLATERAL_EXPIRED.
 */
export function requireFresh(
  documents: readonly SignedBetween[],
  { maxStaleSeconds }: FreshnessOptions,
  at: Date,
): void {
  for (const { value, signers } of documents) {
    requireBetween("Intel's document", value.issueDate, value.nextUpdate, maxStaleSeconds, at);
    for (const signer of signers) {
      const { notBefore, notAfter } = signer.validity;
      requireBetween(`'${nameOf(signer)}'`, notBefore, notAfter, maxStaleSeconds, at);
    }
  }
}

/**
 * How the lists stand. One that is absent, of the future or too old answers nothing, which is an error where lists are required.
 * Throws CouldNotCheckError REVOCATION_LIST_UNAVAILABLE, REVOCATION_LIST_EXPIRED.
 */
export function revocationStatusOf(
  lists: readonly (VerifiedRevocationList | undefined)[],
  options: FreshnessOptions,
  at: Date,
): RevocationStatus {
  const statuses = lists.map((list) => statusOf(list, options, at));
  if (statuses.includes('not-checked')) return 'not-checked';
  return statuses.includes('stale') ? 'stale' : 'good';
}

/** Over everything that was used: lists, documents, and the certificates of all who signed. */
export function datesOf(
  documents: readonly SignedBetween[],
  lists: Readonly<Record<'rootList' | 'pckList', VerifiedRevocationList | undefined>>,
  pckChain: readonly Certificate[],
): CollateralDates {
  const certificates = [...pckChain, ...documents.flatMap(({ signers }) => signers)];
  const used = [lists.rootList, lists.pckList].filter((list) => list !== undefined);
  const issues = [
    ...certificates.map(({ validity }) => validity.notBefore),
    ...documents.map(({ value }) => value.issueDate),
    ...used.map(({ thisUpdate }) => thisUpdate),
  ].map((date) => date.getTime());
  const expirations = [
    ...certificates.map(({ validity }) => validity.notAfter),
    ...documents.map(({ value }) => value.nextUpdate),
    ...used.map(({ nextUpdate }) => nextUpdate),
  ].map((date) => date.getTime());
  return {
    earliestIssue: new Date(Math.min(...issues)),
    latestIssue: new Date(Math.max(...issues)),
    earliestExpiration: new Date(Math.min(...expirations)),
  };
}

function requireBetween(what: string, from: Date, until: Date, maxStaleSeconds: number, at: Date): void {
  // Written so that an unreadable date, which compares false with everything, is refused.
  if (!(at >= from)) {
    throw new CouldNotCheckError(
      'COLLATERAL_UNAVAILABLE',
      `expected ${what} of ${at.toISOString()} or before, got a later one`,
    );
  }
  if (!(at.getTime() <= until.getTime() + maxStaleSeconds * 1000)) {
    throw new CouldNotCheckError(
      'COLLATERAL_EXPIRED',
      `expected ${what} at most ${maxStaleSeconds} seconds past its end, it ended at ${until.toISOString()}`,
    );
  }
}

function statusOf(
  list: VerifiedRevocationList | undefined,
  options: FreshnessOptions,
  at: Date,
): RevocationStatus {
  if (list === undefined) {
    return notChecked(options, 'REVOCATION_LIST_UNAVAILABLE', 'expected a revocation list, got none');
  }
  try {
    return freshnessOf(list, at, options.maxStaleSeconds) === 'current' ? 'good' : 'stale';
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    const isOver = cause.code === 'CRL_EXPIRED';
    const code = isOver ? 'REVOCATION_LIST_EXPIRED' : 'REVOCATION_LIST_UNAVAILABLE';
    return notChecked(options, code, cause.message, cause);
  }
}

function notChecked(
  options: FreshnessOptions,
  code: 'REVOCATION_LIST_UNAVAILABLE' | 'REVOCATION_LIST_EXPIRED',
  message: string,
  cause?: unknown,
): 'not-checked' {
  if (options.revocation === 'required') throw new CouldNotCheckError(code, message, { cause });
  return 'not-checked';
}
