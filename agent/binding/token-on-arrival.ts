import type { Json, JsonObject } from '../../server/claims/claims.ts';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { isJsonObject } from '../../server/protocol/json-object.ts';
import { TEE_KEY_POINTERS } from '../../server/protocol/tee-key-claims.ts';
import { ClientError } from '../client-error.ts';
import type { TeeKey } from '../tee-key/tee-key.ts';
import { base64UrlBytes, utf8Text } from '../text-encoding.ts';

/** A token and the key that it is bound to: what opens resources. */
export interface BoundToken {
  /** Compact JWS. A bearer secret. */
  readonly token: string;
  readonly key: TeeKey;
  /** By the issuer's clock; undefined when the token does not say. */
  readonly issuedAt: Date | undefined;
  readonly expiresAt: Date | undefined;
}

const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_TOKEN_LENGTH = 1 << 20;
/** The last second of the year 9999. */
const MAX_NUMERIC_DATE = 253_402_300_799;
/** What makes up a public key (RFC 7638, section 3.2). */
const KEY_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const;

/**
 * Looks at a token when it arrives: whether it is one, whether it holds now, and whether it is bound to our key. Its
 * signature is for those who trust its issuer; a guest only sees here, and not at the key broker, what went wrong.
 * `skewSeconds`: by how much the issuer's clock and ours may differ. Throws ClientError TOKEN_MALFORMED,
 * TOKEN_EXPIRED_ON_ARRIVAL, TOKEN_NOT_YET_VALID, TOKEN_WITHOUT_OUR_KEY.
 */
export function checkTokenOnArrival(
  token: string,
  key: TeeKey,
  { at, skewSeconds }: { readonly at: Date; readonly skewSeconds: number },
): BoundToken {
  const claims = readClaims(token);
  const now = at.getTime() / 1000;
  const expiry = numericDate(claims, 'exp');
  const start = numericDate(claims, 'nbf');
  if (expiry !== undefined && now >= expiry + skewSeconds) {
    throw new ClientError(
      'TOKEN_EXPIRED_ON_ARRIVAL',
      `expected a token that is valid at ${Math.floor(now)}, got one that ended at ${expiry}: is the clock of one of us wrong?`,
    );
  }
  if (start !== undefined && start > now + skewSeconds) {
    throw new ClientError(
      'TOKEN_NOT_YET_VALID',
      `expected a token that is valid at ${Math.floor(now)}, got one that begins at ${start}: is the clock of one of us wrong?`,
    );
  }
  assertOurKey(claims, key);
  return {
    token,
    key,
    issuedAt: dateOf(numericDate(claims, 'iat')),
    expiresAt: dateOf(expiry),
  };
}

function readClaims(token: string): JsonObject {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT_JWS.test(token)) throw malformed();
  let claims: unknown;
  try {
    claims = parseJson(utf8Text(base64UrlBytes(token.split('.')[1] ?? '')));
  } catch (cause) {
    if (isCodedError(cause)) throw malformed(cause);
    throw cause;
  }
  if (!isJsonObject(claims)) throw malformed();
  return claims;
}

/** Wherever the token states a key it has to be ours, and it has to state one. */
function assertOurKey(claims: JsonObject, { publicJwk }: TeeKey): void {
  const stated = TEE_KEY_POINTERS.flatMap((pointer) => resolve(claims, pointer) ?? []);
  const isOurs = stated.length > 0 && stated.every((jwk) => isSameKey(jwk, publicJwk));
  if (isOurs) return;
  throw new ClientError(
    'TOKEN_WITHOUT_OUR_KEY',
    `expected a token that is bound to the key of this guest, got one bound to ${stated.length === 0 ? 'none' : 'another'}`,
  );
}

function isSameKey(stated: Json, ours: JsonObject): boolean {
  return isJsonObject(stated) && KEY_MEMBERS.every((name) => stated[name] === ours[name]);
}

/** RFC 6901, for pointers without escapes. */
function resolve(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const name of pointer.split('/').slice(1)) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value ?? undefined;
}

function numericDate(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= MAX_NUMERIC_DATE) return value;
  throw malformed();
}

function dateOf(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000);
}

function malformed(cause?: unknown): ClientError {
  return new ClientError('TOKEN_MALFORMED', 'expected a JSON Web Token from the server, got something else', {
    cause,
  });
}
