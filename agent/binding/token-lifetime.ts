import type { BoundToken } from './token-on-arrival.ts';

export interface LifetimeOptions {
  /** How long before its end a token is renewed. */
  readonly renewBeforeSeconds: number;
  readonly skewSeconds: number;
}

/**
 * Until when a token that has just arrived is used, by our clock. Counted from its arrival where it says how long it
 * lasts, so that a clock that is a minute off neither uses it too long nor fetches one for each request; a server
 * that finds it expired says so, and then it is renewed. Undefined when it does not say when it ends.
 */
export function usableUntil(
  { issuedAt, expiresAt }: Pick<BoundToken, 'issuedAt' | 'expiresAt'>,
  receivedAt: Date,
  { renewBeforeSeconds, skewSeconds }: LifetimeOptions,
): Date | undefined {
  if (expiresAt === undefined) return undefined;
  const received = receivedAt.getTime();
  const lifetime = expiresAt.getTime() - (issuedAt?.getTime() ?? received);
  // One that was minted long ago has less left than its lifetime.
  const end = Math.min(received + lifetime, expiresAt.getTime() + skewSeconds * 1000);
  const left = Math.max(0, end - received);
  return new Date(end - Math.min(renewBeforeSeconds * 1000, left / 2));
}
