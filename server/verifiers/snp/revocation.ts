import { bytesEqual } from '../../bytes/byte-strings.ts';
import type { CollateralStore } from '../../collateral/collateral.ts';
import { CodedError } from '../../errors/coded-error.ts';
import { CouldNotCheckError } from '../../errors/could-not-check-error.ts';
import {
  freshnessOf,
  isNewerList,
  isRevoked,
  parseRevocationList,
  type VerifiedRevocationList,
  verifyRevocationList,
} from '../../x509/crl.ts';
import { X509Error } from '../../x509/x509-error.ts';
import type { AuthorityKey } from './anchor-set.ts';
import type { KdsClient } from './kds-client.ts';
import type { ProductLine } from './product.ts';

/** `stale`: the list's nextUpdate was past, within what the configuration allows. */
export type RevocationStatus = 'good' | 'stale' | 'not-checked';

export interface RevocationOptions {
  readonly store: CollateralStore;
  readonly kds: KdsClient | undefined;
  /** `when-available` is for sites that cannot have revocation lists. */
  readonly mode: 'required' | 'when-available';
  /** How far past its nextUpdate a list may be. */
  readonly maxStaleSeconds: number;
}

/**
 * Checks authorities against the list of their root. Throws X509Error CERTIFICATE_REVOKED; CouldNotCheckError
 * REVOCATION_LIST_UNAVAILABLE, REVOCATION_LIST_EXPIRED when the mode is `required`.
 */
type RevocationCheck = (
  product: ProductLine,
  root: AuthorityKey,
  authorities: readonly AuthorityKey[],
  at: Date,
) => Promise<RevocationStatus>;

/** A list that is older is asked for again in the background though it is still valid, at most once an hour. */
const REFRESH_AGE_MILLISECONDS = 24 * 3600 * 1000;
const REFRESH_INTERVAL_MILLISECONDS = 3600 * 1000;

/**
 * AMD's list names authorities (ASK, ASVK). Endorsement keys are on no list: their serials are all zero, and what AMD
 * revokes is who signed them. Lists come from the store, else from the key service; each is verified before it is
 * believed or stored.
 */
export function createRevocationCheck(options: RevocationOptions): RevocationCheck {
  const keepers = new Map<string, ListKeeper>();
  return async (product, root, authorities, at) => {
    const keeper = keepers.get(product) ?? new ListKeeper(product, root, options);
    keepers.set(product, keeper);
    const list = await keeper.listAt(at);
    if (list === undefined) {
      const message = `expected a revocation list of '${root.name}', got none`;
      return notChecked(options, 'REVOCATION_LIST_UNAVAILABLE', message, keeper.problem);
    }
    const revoked = authorities.find((authority) => isRevoked(list, authority.serial));
    if (revoked !== undefined) {
      throw new X509Error(
        'CERTIFICATE_REVOKED',
        `expected '${revoked.name}' in force, '${root.name}' revoked it`,
      );
    }
    return standingOf(list, at, options, keeper.problem);
  };
}

function standingOf(
  list: VerifiedRevocationList,
  at: Date,
  options: RevocationOptions,
  problem: unknown,
): RevocationStatus {
  try {
    return freshnessOf(list, at, options.maxStaleSeconds) === 'current' ? 'good' : 'stale';
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    return notChecked(options, 'REVOCATION_LIST_EXPIRED', cause.message, problem ?? cause);
  }
}

function notChecked(
  options: RevocationOptions,
  code: 'REVOCATION_LIST_UNAVAILABLE' | 'REVOCATION_LIST_EXPIRED',
  message: string,
  cause: unknown,
): 'not-checked' {
  if (options.mode === 'required') throw new CouldNotCheckError(code, message, { cause });
  return 'not-checked';
}

/** Keeps the newest list of one root that we have seen: an older one, wherever it comes from, never takes its place. */
class ListKeeper {
  readonly #product: ProductLine;
  readonly #root: AuthorityKey;
  readonly #options: RevocationOptions;
  #list: VerifiedRevocationList | undefined;
  #refused: Uint8Array | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #flight: Promise<void> | undefined;
  /** Why there is no better list, for the error. */
  problem: unknown;

  constructor(product: ProductLine, root: AuthorityKey, options: RevocationOptions) {
    this.#product = product;
    this.#root = root;
    this.#options = options;
  }

  /** The newest list whose thisUpdate has come. It may be past its nextUpdate when there is no better one. */
  async listAt(at: Date): Promise<VerifiedRevocationList | undefined> {
    // Only a clock that was set back makes a list that we used one of the future.
    if (this.#list !== undefined && at < this.#list.thisUpdate) this.#list = undefined;
    const stored = await this.#options.store.find('snp-crl', this.#product);
    if (stored !== undefined) this.#consider(stored.body, at);
    if (this.#list === undefined || at > this.#list.nextUpdate) await this.#fetch(at);
    else this.#refreshInBackground(this.#list, at);
    return this.#list;
  }

  async #fetch(at: Date): Promise<void> {
    this.#flight ??= this.#fetchOnce(at).finally(() => {
      this.#flight = undefined;
    });
    await this.#flight;
  }

  async #fetchOnce(at: Date): Promise<void> {
    const { kds, store } = this.#options;
    if (kds === undefined) return;
    try {
      const body = await kds.fetchRevocationList(this.#product, at);
      const list = this.#consider(body, at);
      if (list === undefined) return;
      const expiresAt = list.nextUpdate;
      await store.put({ kind: 'snp-crl', key: this.#product, body, expiresAt, source: 'fetched' });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.problem = error;
    }
  }

  /** The list in these bytes when it is now the one to use. One that is not its root's is as good as none. */
  #consider(body: Uint8Array, at: Date): VerifiedRevocationList | undefined {
    const isKnown = [this.#list?.der, this.#refused].some(
      (known) => known !== undefined && bytesEqual(known, body),
    );
    if (isKnown) return undefined;
    try {
      const list = verifyRevocationList(parseRevocationList(body), this.#root);
      if (at < list.thisUpdate)
        throw new X509Error('CRL_NOT_YET_VALID', 'expected a revocation list of now, got a later');
      if (this.#list !== undefined && !isNewerList(list, this.#list)) return undefined;
      this.#list = list;
      this.problem = undefined;
      return list;
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
      if (error.code !== 'CRL_NOT_YET_VALID') this.#refused = body;
      this.problem = error;
      return undefined;
    }
  }

  /** So that revocations reach us before the old list ends. Failing does no harm yet: the list at hand is valid. */
  #refreshInBackground(list: VerifiedRevocationList, at: Date): void {
    const now = at.getTime();
    const isOld = now - list.thisUpdate.getTime() > REFRESH_AGE_MILLISECONDS;
    const isRecent = Math.abs(now - this.#refreshedAt) < REFRESH_INTERVAL_MILLISECONDS;
    if (this.#options.kds === undefined || !isOld || isRecent) return;
    this.#refreshedAt = now;
    this.#fetch(at).catch((error: unknown) => {
      this.problem = error;
    });
  }
}
