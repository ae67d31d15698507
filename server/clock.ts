/** What time it is. Handed to everything that asks, so that a test or a conformance case can choose it. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();

/** Whole seconds since 1970, as JSON Web Tokens count them (RFC 7519, NumericDate). */
export function toEpochSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}
