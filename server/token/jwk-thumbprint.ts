import { sha256 } from '../bytes/byte-strings.ts';
import { toBase64Url } from '../bytes/encoding.ts';
import { KeyError } from './token-error.ts';

/** A JSON Web Key, read but not checked. */
type Jwk = Readonly<Record<string, unknown>>;

/** The members that make up a public key, in the order in which RFC 7638, section 3.2, hashes them. */
const REQUIRED_MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['RSA', ['e', 'kty', 'n']],
  ['OKP', ['crv', 'kty', 'x']],
  ['AKP', ['alg', 'kty', 'pub']],
]);

/** Only what makes up the public key, in RFC 7638's order. Throws KeyError when the JWK is not a public key that we know. */
export function publicMembers(jwk: Jwk): Readonly<Record<string, string>> {
  const names = typeof jwk['kty'] === 'string' ? REQUIRED_MEMBERS.get(jwk['kty']) : undefined;
  if (names === undefined) {
    throw new KeyError('KEY_UNSUPPORTED', `expected a JWK of kty ${[...REQUIRED_MEMBERS.keys()].join(', ')}`);
  }
  return Object.fromEntries(names.map((name) => [name, memberOf(jwk, name)]));
}

/** SHA-256 of the key's members (RFC 7638), base64url: a name that cannot be given to another key. */
export function thumbprintOf(jwk: Jwk): string {
  return toBase64Url(sha256(JSON.stringify(publicMembers(jwk))));
}

function memberOf(jwk: Jwk, name: string): string {
  const value = jwk[name];
  if (typeof value !== 'string')
    throw new KeyError('KEY_MALFORMED', `expected a JWK with '${name}', got none`);
  return value;
}
