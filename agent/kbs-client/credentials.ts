import type { BoundToken } from '../binding/token-on-arrival.ts';
import type { Renewable } from '../renewable.ts';
import type { TeeKey } from '../tee-key/tee-key.ts';
import type { AttestedSession } from './handshake.ts';

/** What opens resources at a key broker: what is shown to it, and the key that it seals to. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly key: TeeKey;
}

/** The current credentials; others than `refused` when the broker did not take those. */
export type ObtainCredentials = (refused?: Credentials) => Promise<Credentials>;

/** Passport: a token from anywhere, shown as `Authorization: Bearer`. */
export function bearerCredentials(tokens: Renewable<BoundToken>): ObtainCredentials {
  return credentialsOf(tokens, ({ token, key }) => ({ headers: { authorization: `Bearer ${token}` }, key }));
}

/** Background check: the session of a handshake with this very broker. */
export function sessionCredentials(sessions: Renewable<AttestedSession>): ObtainCredentials {
  return credentialsOf(sessions, ({ cookie, token }) => ({ headers: { cookie }, key: token.key }));
}

function credentialsOf<T extends object>(
  values: Renewable<T>,
  make: (value: T) => Credentials,
): ObtainCredentials {
  /** What each was made of, so that a refusal hits that value only, and not the one that has replaced it. */
  const madeOf = new WeakMap<Credentials, T>();
  return async (refused) => {
    const old = refused === undefined ? undefined : madeOf.get(refused);
    const value = await values((current) => current === old);
    const credentials = make(value);
    madeOf.set(credentials, value);
    return credentials;
  };
}
