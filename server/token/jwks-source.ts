import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { type FetchOptions, fetchJson, parseKeyUrl } from './fetch-json.ts';
import { chosen, type KeySource, matchingKeys } from './key-source.ts';
import { KeyError } from './token-error.ts';
import { parseKeySet, type VerificationKey } from './verification-key.ts';

export interface RemoteKeysOptions extends FetchOptions {
  /** `jwks`: the URL of the key set. `discovery`: the issuer's URL, below which OpenID Connect Discovery finds it. */
  readonly kind: 'jwks' | 'discovery';
  readonly url: string;
  /** The name that a discovery document has to bear. */
  readonly issuer: string;
  /** Keys older than this are fetched anew before they are used. */
  readonly refreshSeconds?: number;
  /** For how long the last good keys serve while the issuer does not answer. */
  readonly maxStaleSeconds?: number;
  /** Between two attempts, whatever asks for them: a flood of unknown key ids does not become a flood of requests. */
  readonly minIntervalSeconds?: number;
}

interface Loaded {
  readonly keys: readonly VerificationKey[];
  readonly at: Date;
}

/** Refresh in the background from this share of the keys' age on, so that hardly any request waits for it. */
const EARLY = 0.8;
const DISCOVERY_PATH = '/.well-known/openid-configuration';

/**
 * An issuer's keys from its JWKS URL or by OpenID Connect Discovery. They are fetched at first use, before they grow
 * old, and when a token names a key id that is not among them; one fetch at a time. Throws KeyError KEY_SOURCE_INVALID
 * at once when the URL is not acceptable, and CouldNotCheckError ISSUER_KEYS_UNAVAILABLE at use.
 */
export function remoteKeys(options: RemoteKeysOptions): KeySource {
  return new RemoteKeys(options);
}

class RemoteKeys implements KeySource {
  readonly #options: Required<
    Pick<RemoteKeysOptions, 'refreshSeconds' | 'maxStaleSeconds' | 'minIntervalSeconds'>
  > &
    RemoteKeysOptions;
  readonly #url: URL;
  #loaded: Loaded | undefined;
  #lastAttempt: { readonly at: Date; readonly failure: unknown } | undefined;
  #inFlight: Promise<void> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = { refreshSeconds: 300, maxStaleSeconds: 3600, minIntervalSeconds: 10, ...options };
    this.#url = parseKeyUrl(options.url, options);
  }

  async candidates(
    hint: Parameters<KeySource['candidates']>[0],
    at: Date,
  ): Promise<readonly VerificationKey[]> {
    const { refreshSeconds } = this.#options;
    if (this.#age(at) >= refreshSeconds) await this.#refresh(at);
    else if (this.#age(at) >= refreshSeconds * EARLY) void this.#refresh(at);
    const known = matchingKeys(this.#usableKeys(at), hint);
    if (known.length > 0 || (hint.keyId === undefined && hint.jwk === undefined)) return chosen(known);
    await this.#refresh(at);
    const found = matchingKeys(this.#usableKeys(at), hint);
    // The key may be a new one that we could not hear of.
    if (found.length === 0 && this.#lastAttempt?.failure !== undefined)
      throw unavailable(this.#lastAttempt.failure);
    return chosen(found);
  }

  #age(at: Date): number {
    return this.#loaded === undefined ? Infinity : secondsBetween(this.#loaded.at, at);
  }

  #usableKeys(at: Date): readonly VerificationKey[] {
    const { refreshSeconds, maxStaleSeconds } = this.#options;
    if (this.#loaded === undefined || this.#age(at) >= refreshSeconds + maxStaleSeconds) {
      throw unavailable(this.#lastAttempt?.failure);
    }
    return this.#loaded.keys;
  }

  /** Never throws: what failed is kept, and told to those who find no usable keys. */
  async #refresh(at: Date): Promise<void> {
    if (this.#inFlight === undefined) {
      const last = this.#lastAttempt;
      if (last !== undefined && Math.abs(secondsBetween(last.at, at)) < this.#options.minIntervalSeconds)
        return;
      this.#inFlight = this.#load(at).finally(() => {
        this.#inFlight = undefined;
      });
    }
    await this.#inFlight;
  }

  async #load(at: Date): Promise<void> {
    try {
      const url = this.#options.kind === 'jwks' ? this.#url : await this.#discover();
      this.#loaded = { keys: parseKeySet(await fetchJson(url, this.#options)), at };
      this.#lastAttempt = { at, failure: undefined };
    } catch (failure) {
      this.#lastAttempt = { at, failure };
    }
  }

  /** OpenID Connect Discovery 1.0, section 4: the document bears the name of the issuer that was asked for. */
  async #discover(): Promise<URL> {
    const { issuer } = this.#options;
    const url = new URL(this.#url.href.replace(/\/+$/, '') + DISCOVERY_PATH);
    const document = await fetchJson(url, this.#options);
    if (!isJsonObject(document) || document['issuer'] !== issuer) {
      throw new KeyError(
        'KEY_SOURCE_INVALID',
        `expected the discovery document of issuer '${issuer}', got another`,
      );
    }
    const keySetUrl = document['jwks_uri'];
    if (typeof keySetUrl !== 'string') {
      throw new KeyError('KEY_SOURCE_INVALID', "expected a discovery document with 'jwks_uri', got none");
    }
    return parseKeyUrl(keySetUrl, this.#options);
  }
}

function unavailable(failure: unknown): CouldNotCheckError {
  const why = failure instanceof CodedError ? `: ${failure.message}` : '';
  return new CouldNotCheckError('ISSUER_KEYS_UNAVAILABLE', `could not get the token issuer's keys${why}`, {
    cause: failure,
  });
}

function secondsBetween(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000;
}
