import { LRUCache } from 'lru-cache';
import { sha256 } from '../../../server/bytes/byte-strings.ts';
import { toBase64Url } from '../../../server/bytes/encoding.ts';
import { createRenewable, type Renewable } from '../../renewable.ts';
import { KmsError } from './kms.ts';

/** What a service gives for a credential, to be shown with each request. */
export interface AccessToken {
  readonly text: string;
  /** Undefined: it does not end by itself. */
  readonly lifetimeSeconds: number | undefined;
}

/** Runs with a token of the credential; a token that was kept and is refused is replaced once. */
export type WithAccessToken = <T>(
  credential: string,
  obtain: () => Promise<AccessToken>,
  run: (token: string) => Promise<T>,
) => Promise<T>;

/** As many credentials as a guest has, and some more. */
const MAX_CREDENTIALS = 32;
/** Before the end, so that no token ends on its way. */
const MARGIN_SECONDS = 30;
const MOST_SECONDS = 3600;

/**
 * Keeps the tokens of credentials until shortly before they end, one request for each at a time. A credential is known by
 * the hash of its text: whoever replaces the file gets a new token.
 */
export function createAccessTokens(clock: () => Date): WithAccessToken {
  const kept = new LRUCache<string, Renewable<AccessToken>>({ max: MAX_CREDENTIALS });
  /** Tokens that have been shown before: only of those a refusal may mean that they have ended. */
  const shown = new WeakSet<AccessToken>();
  return async (credential, obtain, run) => {
    const id = toBase64Url(sha256(credential));
    const renewable = kept.get(id) ?? createRenewable({ obtain, usableUntil, clock });
    kept.set(id, renewable);
    const token = await renewable();
    const mayHaveEnded = shown.has(token);
    shown.add(token);
    try {
      return await run(token.text);
    } catch (error) {
      if (!mayHaveEnded || !(error instanceof KmsError) || error.code !== 'KMS_DENIED') throw error;
      return await run((await renewable((value) => value === token)).text);
    }
  };
}

function usableUntil({ lifetimeSeconds = MOST_SECONDS }: AccessToken, receivedAt: Date): Date {
  const seconds = Math.min(lifetimeSeconds, MOST_SECONDS) - MARGIN_SECONDS;
  return new Date(receivedAt.getTime() + Math.max(0, seconds) * 1000);
}
