import type { Collateral, CollateralStore } from '../collateral/collateral.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseRevocationList, type RevocationList } from '../x509/crl.ts';
import type { IntelAuthority } from './authorities.ts';
import { CollateralKeeper, type FetchedRows, type Kept, type Wanted } from './collateral-keeper.ts';
import {
  authorityRow,
  documentRow,
  qeIdentityKey,
  revocationListRow,
  tcbInfoKey,
} from './collateral-keys.ts';
import type {
  FindDcapCollateral,
  IssuedRevocationList,
  PlatformQuery,
  SignedDocument,
} from './dcap-collateral.ts';
import type { Evaluation, PcsClient } from './pcs-client.ts';
import { type DocumentFacts, factsOf, splitDocument } from './signed-document.ts';

export interface DcapCollateralSourceOptions {
  readonly store: CollateralStore;
  /** `undefined` where nothing is fetched. */
  readonly pcs: PcsClient | undefined;
  /** As the client's. */
  readonly evaluation: Evaluation;
  /** `when-available`: revocation lists that are not to be had are left out. */
  readonly revocation: 'required' | 'when-available';
  /** How long before its nextUpdate a thing is asked for again, while the one at hand still serves. */
  readonly refreshAheadSeconds?: number;
  /** Told of a refresh in the background that failed, for the log. */
  readonly onRefreshFailure?: (error: unknown) => void;
}

const A_DAY = 24 * 3600;
/** Intel's documents are valid for thirty days. */
const REFRESH_AHEAD_SECONDS = 7 * A_DAY;
/** So that revocations reach us before the old list ends. */
const LIST_REFRESH_AGE_SECONDS = A_DAY;
/** What serves, without a service, where only the other was imported. */
const SUBSTITUTES: ReadonlyMap<Evaluation, 'standard' | 'early'> = new Map([
  ['early', 'standard'],
  ['standard', 'early'],
]);
const UNREADABLE = Symbol('unreadable');

type ListAuthority = PlatformQuery['ca'] | 'root';

interface ReadDocument {
  readonly document: SignedDocument;
  readonly facts: DocumentFacts;
}

/**
 * Finds what Intel signed about a platform: in the store, else with the service, whose answers are put there. Nothing is
 * verified: that happens at each use. Throws CouldNotCheckError COLLATERAL_UNAVAILABLE, OVERLOADED;
 * REVOCATION_LIST_UNAVAILABLE where revocation is `required`.
 */
export function createDcapCollateralSource(options: DcapCollateralSourceOptions): FindDcapCollateral {
  const keeper = new CollateralKeeper({
    store: options.store,
    refreshAheadSeconds: options.refreshAheadSeconds ?? REFRESH_AHEAD_SECONDS,
    onRefreshFailure: options.onRefreshFailure ?? (() => undefined),
  });
  const wanted = createWanted(options);
  async function findList<T>(list: Wanted<T>, at: Date): Promise<T | undefined> {
    try {
      return await keeper.get(list, at);
    } catch (cause) {
      if (!(cause instanceof CouldNotCheckError) || cause.code !== 'COLLATERAL_UNAVAILABLE') throw cause;
      if (options.revocation === 'when-available') return undefined;
      throw new CouldNotCheckError('REVOCATION_LIST_UNAVAILABLE', cause.message, { cause });
    }
  }
  return async ({ tee, fmspc, ca }, at) => {
    const tcbInfo = keeper.get(wanted.tcbInfo(tee, fmspc.toUpperCase()), at);
    const qeIdentity = keeper.get(wanted.qeIdentity(tee), at);
    const [pckCrl, rootCrl] = [findList(wanted.list(ca), at), findList(wanted.list('root'), at)];
    // Where several are missing, it is always the same one that is told, whichever was found missing first.
    await Promise.allSettled([tcbInfo, qeIdentity, pckCrl, rootCrl]);
    return {
      tcbInfo: await tcbInfo,
      qeIdentity: await qeIdentity,
      pckCrl: await pckCrl,
      rootCrl: (await rootCrl)?.der,
    };
  };
}

/** The four things, each with its place, its reader and its service. */
function createWanted({ store, pcs, evaluation }: DcapCollateralSourceOptions): {
  readonly tcbInfo: (tee: PlatformQuery['tee'], fmspc: string) => Wanted<SignedDocument>;
  readonly qeIdentity: (tee: PlatformQuery['tee']) => Wanted<SignedDocument>;
  readonly list: (authority: ListAuthority) => Wanted<IssuedRevocationList>;
} {
  const read = createReaders(store);
  const substitute = SUBSTITUTES.get(evaluation);
  const isOfEvaluation = (facts: DocumentFacts): boolean =>
    typeof evaluation === 'string' || facts.evaluation === evaluation;
  const selected = typeof evaluation === 'number' ? ` and tcbEvaluationDataNumber ${evaluation}` : '';
  return {
    tcbInfo: (tee, fmspc) => ({
      kind: 'intel-tcb-info',
      key: tcbInfoKey(tee, fmspc, evaluation),
      substituteKey: substitute && tcbInfoKey(tee, fmspc, substitute),
      what: `the TCB info for ${tee.toUpperCase()} of FMSPC ${fmspc}${selected}, with the TCB signing chain,`,
      read: async (row) =>
        await read.document(
          row,
          (facts) =>
            isOfEvaluation(facts) && facts.type === 'tcb-info' && facts.tee === tee && facts.fmspc === fmspc,
        ),
      fetch: pcs && (async (at) => documentRows(await pcs.fetchTcbInfo(tee, fmspc, at), evaluation)),
      refreshAgeSeconds: Number.POSITIVE_INFINITY,
    }),
    qeIdentity: (tee) => ({
      kind: 'intel-qe-identity',
      key: qeIdentityKey(tee, evaluation),
      substituteKey: substitute && qeIdentityKey(tee, substitute),
      what: `the identity of the quoting enclave for ${tee.toUpperCase()}${selected}, with the TCB signing chain,`,
      read: async (row) =>
        await read.document(
          row,
          (facts) => isOfEvaluation(facts) && facts.type === 'qe-identity' && facts.tee === tee,
        ),
      fetch: pcs && (async (at) => documentRows(await pcs.fetchQeIdentity(tee, at), evaluation)),
      refreshAgeSeconds: Number.POSITIVE_INFINITY,
    }),
    list: (authority) => ({
      kind: 'intel-crl',
      key: authority,
      what:
        authority === 'root'
          ? "the revocation list of Intel's root"
          : `the revocation list of Intel's PCK ${authority} CA`,
      read: async (row) => await read.list(row, authority),
      fetch: pcs && (async (at) => await fetchListRows(pcs, authority, at)),
      refreshAgeSeconds: LIST_REFRESH_AGE_SECONDS,
    }),
  };
}

/** Reads rows; what a row says is remembered as long as the store hands out the same row. */
function createReaders(store: CollateralStore): {
  readonly document: (
    row: Collateral,
    isWanted: (facts: DocumentFacts) => boolean,
  ) => Promise<Kept<SignedDocument> | undefined>;
  readonly list: (
    row: Collateral,
    authority: ListAuthority,
  ) => Promise<Kept<IssuedRevocationList> | undefined>;
} {
  const documents = new WeakMap<Collateral, ReadDocument | typeof UNREADABLE>();
  const lists = new WeakMap<Collateral, RevocationList | typeof UNREADABLE>();
  const chainOf = async (authorities: readonly IntelAuthority[]): Promise<readonly Uint8Array[]> => {
    const rows = await Promise.all(authorities.map(async (each) => await store.find('intel-ca', each)));
    const ders = rows.map((row) => row?.body);
    return ders[0] === undefined ? [] : ders.filter((der) => der !== undefined);
  };
  return {
    async document(row, isWanted) {
      const found = documents.get(row) ?? readDocument(row.body) ?? UNREADABLE;
      documents.set(row, found);
      if (found === UNREADABLE || !isWanted(found.facts)) return undefined;
      const { body, issuerChain: own } = found.document;
      const issuerChain = own.length > 0 ? own : await chainOf(['tcb-signing', 'root']);
      if (issuerChain.length === 0) return undefined;
      const { issuedAt, nextUpdate } = found.facts;
      return { value: { body, issuerChain }, issuedAt, nextUpdate };
    },
    async list(row, authority) {
      const found = lists.get(row) ?? readList(row.body) ?? UNREADABLE;
      lists.set(row, found);
      if (found === UNREADABLE || revocationListRow(found, row.source)?.key !== authority) return undefined;
      const issuerChain = await chainOf(authority === 'root' ? ['root'] : [authority, 'root']);
      const { der, thisUpdate, nextUpdate } = found;
      return { value: { der, issuerChain }, issuedAt: thisUpdate, nextUpdate };
    },
  };
}

function readDocument(bytes: Uint8Array): ReadDocument | undefined {
  const document = splitDocument(bytes);
  const facts = document && factsOf(document.body);
  return document && facts && { document, facts };
}

function readList(der: Uint8Array): RevocationList | undefined {
  try {
    return parseRevocationList(der);
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function documentRows(document: SignedDocument, evaluation: Evaluation): FetchedRows {
  const facts = factsOf(document.body);
  if (facts === undefined) throw notWhatWasAsked();
  return { found: documentRow(document, facts, evaluation, 'fetched'), beside: [] };
}

/** The certificates that came with a list are kept as rows of their own, and before it. */
async function fetchListRows(pcs: PcsClient, authority: ListAuthority, at: Date): Promise<FetchedRows> {
  const { der, issuerChain } =
    authority === 'root'
      ? { der: await pcs.fetchRootRevocationList(at), issuerChain: [] }
      : await pcs.fetchPckRevocationList(authority, at);
  const found = revocationListRow(parseRevocationList(der), 'fetched');
  if (found === undefined) throw notWhatWasAsked();
  const beside = issuerChain
    .map((each) => authorityRow(parseCertificate(each), 'fetched'))
    .filter((row) => row !== undefined);
  return { found, beside };
}

/** The client has read it before; this only satisfies the types of another client. */
function notWhatWasAsked(): CouldNotCheckError {
  return new CouldNotCheckError('COLLATERAL_UNAVAILABLE', 'expected what was asked for, got something else');
}
