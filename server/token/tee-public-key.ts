import { createPublicKey, type KeyObject } from 'node:crypto';
import { fromBase64Url } from '../bytes/encoding.ts';
import type { Json, JsonObject } from '../claims/claims.ts';
import { CodedError } from '../errors/coded-error.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { TEE_KEY_POINTERS } from '../protocol/tee-key-claims.ts';

export type TeeKeyErrorCode =
  | 'TEE_KEY_MISSING'
  | 'TEE_KEY_AMBIGUOUS'
  | 'TEE_KEY_INVALID'
  | 'TEE_KEY_ALGORITHM_UNSUPPORTED';

/** A token whose TEE key cannot be sealed to. */
export class TeeKeyError extends CodedError<TeeKeyErrorCode> {}

/** The public key of a TEE, checked: a resource can be sealed to it. */
export type TeePublicKey =
  | { readonly algorithm: 'RSA-OAEP-256'; readonly key: KeyObject }
  | {
      readonly algorithm: 'ECDH-ES+A256KW';
      readonly curve: 'P-256' | 'P-521';
      readonly key: KeyObject;
    };

const KEY_IN_SUBMODULE = '/ear.veraison.annotated-evidence/runtime_data_claims/tee-pubkey';

const COORDINATE_LENGTH: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-521', 66],
]);
const PUBLIC_MEMBERS = ['kty', 'alg', 'crv', 'x', 'y', 'n', 'e', 'pub'] as const;
/** RFC 7518, sections 6.2.2, 6.3.2 and 6.4; RFC 8037; `priv` of keys for key encapsulation. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;
const MIN_RSA_EXPONENT = 65_537n;
const MAX_RSA_EXPONENT = 2n ** 32n;

/**
 * The key that the token's TEE has proven to hold. Where a token states it in several places, and where several
 * submodules were bound to a key, they must all state the same one: else one TEE's evidence could open what is meant
 * for another's. Throws TeeKeyError.
 */
export function findTeePublicKey(claims: JsonObject, extraPointers: readonly string[] = []): TeePublicKey {
  const places = [...extraPointers, ...TEE_KEY_POINTERS];
  const [first, ...others] = places.flatMap((pointer) => resolve(claims, pointer) ?? []);
  if (first === undefined) {
    throw new TeeKeyError('TEE_KEY_MISSING', 'expected a token that is bound to a TEE key, got one without');
  }
  const jwk = assertPublicJwk(first);
  const isSame = [...others, ...submoduleKeys(claims)].every((other) => nameOf(other) === nameOf(jwk));
  if (!isSame) {
    throw new TeeKeyError('TEE_KEY_AMBIGUOUS', 'expected a token that is bound to one TEE key, got several');
  }
  return parseTeePublicKey(jwk);
}

/** Only the public members of a TEE's key, for a token's `cnf`; undefined when it is no public key. */
export function confirmationKey(jwk: JsonObject): JsonObject | undefined {
  if (typeof jwk['kty'] !== 'string' || hasPrivateMember(jwk)) return undefined;
  return Object.fromEntries(
    PUBLIC_MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]])),
  );
}

/** Checks one JWK as a key that resources can be sealed to. Throws TeeKeyError. */
export function parseTeePublicKey(jwk: JsonObject): TeePublicKey {
  const algorithm = jwk['alg'];
  if (jwk['kty'] === 'EC' && algorithm === 'ECDH-ES+A256KW') return parseEcKey(jwk);
  if (jwk['kty'] === 'RSA' && algorithm === 'RSA-OAEP-256') return parseRsaKey(jwk);
  throw new TeeKeyError(
    'TEE_KEY_ALGORITHM_UNSUPPORTED',
    `expected a TEE key for ECDH-ES+A256KW or RSA-OAEP-256, got ${typeof algorithm === 'string' ? `'${algorithm.slice(0, 32)}'` : 'none'}`,
  );
}

function parseEcKey(jwk: JsonObject): TeePublicKey {
  const curve = jwk['crv'];
  if (curve !== 'P-256' && curve !== 'P-521') {
    throw new TeeKeyError(
      'TEE_KEY_ALGORITHM_UNSUPPORTED',
      'expected a TEE key on P-256 or P-521, got another curve',
    );
  }
  const x = bytesOf(jwk, 'x');
  const y = bytesOf(jwk, 'y');
  const length = COORDINATE_LENGTH.get(curve);
  if (x.byteLength !== length || y.byteLength !== length) {
    throw invalid(`coordinates of ${length ?? 0} bytes, got ${x.byteLength} and ${y.byteLength}`);
  }
  const key = importKey(jwk, ['kty', 'crv', 'x', 'y']); // OpenSSL refuses a point that is not on the curve.
  return { algorithm: 'ECDH-ES+A256KW', curve, key };
}

function parseRsaKey(jwk: JsonObject): TeePublicKey {
  const isModulusOdd = isOdd(BigInt(bytesOf(jwk, 'n').at(-1) ?? 0));
  const key = importKey(jwk, ['kty', 'n', 'e']);
  const { modulusLength: bits, publicExponent: exponent } = key.asymmetricKeyDetails ?? {};
  if (bits === undefined || bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    throw invalid(`${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, got ${bits ?? 0}`);
  }
  if (!isModulusOdd || exponent === undefined || !isExponentSane(exponent)) {
    throw invalid('an odd modulus and an odd exponent from 65537, got others');
  }
  return { algorithm: 'RSA-OAEP-256', key };
}

function isExponentSane(exponent: bigint): boolean {
  return exponent >= MIN_RSA_EXPONENT && exponent < MAX_RSA_EXPONENT && isOdd(exponent);
}

function isOdd(value: bigint): boolean {
  return value % 2n === 1n;
}

function importKey(jwk: JsonObject, members: readonly string[]): KeyObject {
  try {
    return createPublicKey({
      key: Object.fromEntries(members.map((name) => [name, textOf(jwk, name)])),
      format: 'jwk',
    });
  } catch (cause) {
    throw invalid('a point on its curve or a modulus and exponent, got neither', cause);
  }
}

function bytesOf(jwk: JsonObject, name: string): Uint8Array {
  try {
    return fromBase64Url(textOf(jwk, name));
  } catch (cause) {
    throw invalid(`'${name}' in base64url`, cause);
  }
}

function textOf(jwk: JsonObject, name: string): string {
  const value = jwk[name];
  if (typeof value !== 'string') throw invalid(`'${name}' to be text`);
  return value;
}

function assertPublicJwk(value: Json): JsonObject {
  if (!isJsonObject(value)) throw invalid('a JWK object, got something else');
  if (hasPrivateMember(value)) throw invalid('a public key, got one with private members');
  return value;
}

function hasPrivateMember(jwk: JsonObject): boolean {
  return PRIVATE_MEMBERS.some((name) => jwk[name] !== undefined);
}

function submoduleKeys(claims: JsonObject): readonly Json[] {
  const submodules = claims['submods'];
  if (!isJsonObject(submodules)) return [];
  return Object.values(submodules).flatMap((submodule) => resolve(submodule, KEY_IN_SUBMODULE) ?? []);
}

/** What tells one public key from another; members that are not part of it do not. */
function nameOf(value: Json): string {
  return isJsonObject(value) ? JSON.stringify(PUBLIC_MEMBERS.map((name) => value[name] ?? null)) : 'none';
}

/** RFC 6901. Undefined where the document has nothing, or null, there. */
function resolve(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value ?? undefined;
}

function invalid(expected: string, cause?: unknown): TeeKeyError {
  return new TeeKeyError('TEE_KEY_INVALID', `TEE key: expected ${expected}`, { cause });
}
