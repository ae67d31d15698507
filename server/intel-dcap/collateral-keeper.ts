import { LRUCache } from 'lru-cache';
import type { Collateral, CollateralKind, CollateralStore } from '../collateral/collateral.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';

/** One thing that Intel signs, as it was read from a row. */
export interface Kept<T> {
  readonly value: T;
  readonly issuedAt: Date;
  readonly nextUpdate: Date;
}

/** What the service sent, as rows. */
export interface FetchedRows {
  readonly found: Collateral;
  /** Certificates that came with it. */
  readonly beside: readonly Collateral[];
}

/** Where one thing is kept, and how it comes there. */
export interface Wanted<T> {
  readonly kind: CollateralKind;
  readonly key: string;
  /** Where a thing is that may serve when the one under `key` is not to be had. */
  readonly substituteKey?: string | undefined;
  /** For messages. */
  readonly what: string;
  /** What a row holds; `undefined` when it does not hold what belongs there. */
  readonly read: (row: Collateral) => Promise<Kept<T> | undefined>;
  /** `undefined` where there is no service. */
  readonly fetch: ((at: Date) => Promise<FetchedRows>) | undefined;
  /** From this age on it is asked for again though it is still valid. Seconds. */
  readonly refreshAgeSeconds: number;
}

export interface CollateralKeeperOptions {
  readonly store: CollateralStore;
  /** How long before its nextUpdate a thing is asked for again, while the one at hand still serves. */
  readonly refreshAheadSeconds: number;
  /** Told of a refresh in the background that failed, for the log. */
  readonly onRefreshFailure: (error: unknown) => void;
}

/** How long after a question the same is not asked again, whatever the answer was: a cache may answer with an old thing. */
const INTERVAL = { refresh: 3600, stale: 30 } as const;
const MAX_REMEMBERED = 10_000;

/** Keeps what Intel signs in the store, and uses it no longer than it is valid while there is better. */
export class CollateralKeeper {
  readonly #options: CollateralKeeperOptions;
  readonly #flights = new Map<string, Promise<Collateral | undefined>>();
  readonly #askedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED });

  constructor(options: CollateralKeeperOptions) {
    this.#options = options;
  }

  /**
   * The thing at a time: from the store while it is valid, else fetched, else whatever there is. It may be past its
   * nextUpdate: whether it may still be used is for verification to say. One flight a thing, however many ask.
   * Throws CouldNotCheckError COLLATERAL_UNAVAILABLE, OVERLOADED.
   */
  async get<T>(wanted: Wanted<T>, at: Date): Promise<T> {
    const kept = await this.#find(wanted, wanted.key);
    if (kept === undefined || !isCurrent(kept, at)) return await this.#findElsewhere(wanted, kept, at);
    this.#refreshInBackground(wanted, kept, at);
    return kept.value;
  }

  /** What there is besides a thing that is valid: what the service has, else what may be past its time. */
  async #findElsewhere<T>(wanted: Wanted<T>, kept: Kept<T> | undefined, at: Date): Promise<T> {
    let fetched: Kept<T> | undefined;
    let failure: CouldNotCheckError | undefined;
    if (kept === undefined || !this.#wasAskedWithin(wanted, INTERVAL.stale, at)) {
      try {
        fetched = await this.#ask(wanted, kept, at);
      } catch (error) {
        if (!(error instanceof CouldNotCheckError)) throw error;
        failure = error;
      }
    }
    const best = bestOf([fetched, kept, await this.#find(wanted, wanted.substituteKey)], at);
    if (best === undefined) throw failure ?? notAtHand(wanted);
    return best.value;
  }

  #refreshInBackground(wanted: Wanted<unknown>, kept: Kept<unknown>, at: Date): void {
    const isDue = at.getTime() >= this.#dueAt(wanted, kept);
    if (wanted.fetch === undefined || !isDue || this.#wasAskedWithin(wanted, INTERVAL.refresh, at)) return;
    this.#ask(wanted, kept, at).catch(this.#options.onRefreshFailure);
  }

  async #ask<T>(wanted: Wanted<T>, seen: Kept<T> | undefined, at: Date): Promise<Kept<T> | undefined> {
    const id = idOf(wanted);
    const flight =
      this.#flights.get(id) ?? this.#bring(wanted, seen, at).finally(() => this.#flights.delete(id));
    this.#flights.set(id, flight);
    const row = await flight;
    return row === undefined ? undefined : await wanted.read(row);
  }

  /** Brings what the service has into the store, unless what is there is newer. Resolves to what came. */
  async #bring(
    wanted: Wanted<unknown>,
    seen: Kept<unknown> | undefined,
    at: Date,
  ): Promise<Collateral | undefined> {
    const { store } = this.#options;
    if (wanted.fetch === undefined) throw notAtHand(wanted);
    // Another flight, or another replica, may have brought it since the caller looked.
    const row = await store.find(wanted.kind, wanted.key);
    const kept = row && (await wanted.read(row));
    if (kept !== undefined && isCurrent(kept, at) && (seen === undefined || kept.issuedAt > seen.issuedAt))
      return row;
    this.#askedAt.set(idOf(wanted), at.getTime());
    const { found, beside } = await wanted.fetch(at);
    const fetched = await wanted.read(found);
    for (const each of beside) await store.put(each);
    if (kept === undefined || isNewer(fetched, kept, at)) await store.put(found);
    return found;
  }

  async #find<T>(wanted: Wanted<T>, key: string | undefined): Promise<Kept<T> | undefined> {
    const row = key === undefined ? undefined : await this.#options.store.find(wanted.kind, key);
    return row === undefined ? undefined : await wanted.read(row);
  }

  #dueAt(wanted: Wanted<unknown>, kept: Kept<unknown>): number {
    return Math.min(
      kept.nextUpdate.getTime() - this.#options.refreshAheadSeconds * 1000,
      kept.issuedAt.getTime() + wanted.refreshAgeSeconds * 1000,
    );
  }

  #wasAskedWithin(wanted: Wanted<unknown>, seconds: number, at: Date): boolean {
    const asked = this.#askedAt.get(idOf(wanted));
    return asked !== undefined && Math.abs(at.getTime() - asked) < seconds * 1000;
  }
}

/** One that is valid before one that is not, the first of them; else the newest. */
function bestOf<T>(candidates: readonly (Kept<T> | undefined)[], at: Date): Kept<T> | undefined {
  const there = candidates.filter((each) => each !== undefined);
  const newestFirst = there.toSorted((one, other) => other.issuedAt.getTime() - one.issuedAt.getTime());
  return there.find((each) => isCurrent(each, at)) ?? newestFirst[0];
}

function isCurrent(kept: Kept<unknown>, at: Date): boolean {
  return kept.issuedAt <= at && at <= kept.nextUpdate;
}

/** What claims to be of the future is no reason to leave out what the service has now. */
function isNewer(fetched: Kept<unknown> | undefined, kept: Kept<unknown>, at: Date): boolean {
  return fetched !== undefined && (fetched.issuedAt > kept.issuedAt || kept.issuedAt > at);
}

function idOf({ kind, key }: Wanted<unknown>): string {
  return `${kind} ${key}`;
}

function notAtHand({ what, fetch }: Wanted<unknown>): CouldNotCheckError {
  const why = fetch === undefined ? 'no service is configured: import it' : 'the service sent nothing usable';
  return new CouldNotCheckError(
    'COLLATERAL_UNAVAILABLE',
    `expected ${what} in the store, got none, and ${why}`,
  );
}
