import { constants, createHmac, type KeyObject, verify } from 'node:crypto';
import { bytesEqual } from '../../bytes/byte-strings.ts';
import { fromBase64Url, fromUtf8, toHex, toUtf8 } from '../../bytes/encoding.ts';
import type { JsonObject } from '../../claims/claims.ts';
import { MalformedError } from '../../errors/malformed-error.ts';
import { parseJson } from '../../json/strict-json.ts';
import { isJsonObject } from '../../protocol/json-object.ts';
import { exactJson, type HostBuiltin, type HostBuiltins, onText } from './host-builtin.ts';
import { readTokenKeys, type TokenKey } from './jwt-keys.ts';

interface Algorithm {
  readonly hash: 'sha256' | 'sha384' | 'sha512' | undefined;
  readonly keyType: 'rsa' | 'ec' | 'ed25519' | 'secret';
  readonly curve?: string;
  /** RSASSA-PSS, with a salt as long as the hash (RFC 7518, section 3.5). */
  readonly isPss?: true;
}

/** RFC 7518, section 3.1, and RFC 8037. A key that does not fit its algorithm's row never verifies. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['RS256', { hash: 'sha256', keyType: 'rsa' }],
  ['RS384', { hash: 'sha384', keyType: 'rsa' }],
  ['RS512', { hash: 'sha512', keyType: 'rsa' }],
  ['PS256', { hash: 'sha256', keyType: 'rsa', isPss: true }],
  ['PS384', { hash: 'sha384', keyType: 'rsa', isPss: true }],
  ['PS512', { hash: 'sha512', keyType: 'rsa', isPss: true }],
  ['ES256', { hash: 'sha256', keyType: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', keyType: 'ec', curve: 'secp384r1' }],
  ['ES512', { hash: 'sha512', keyType: 'ec', curve: 'secp521r1' }],
  ['HS256', { hash: 'sha256', keyType: 'secret' }],
  ['HS384', { hash: 'sha384', keyType: 'secret' }],
  ['HS512', { hash: 'sha512', keyType: 'secret' }],
  ['EdDSA', { hash: undefined, keyType: 'ed25519' }],
]);

/** A compact JWS, read and not believed. */
export interface Token {
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** As they came, for results that keep every digit. */
  readonly headerText: string;
  readonly payloadText: string;
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** `io.jwt.decode` and `io.jwt.verify_*`. Stricter than OPA: canonical base64url, no duplicate members, curve by algorithm. */
export const jwtBuiltins: HostBuiltins = {
  'io.jwt.decode': onText((text) => {
    const token = readToken(text);
    if (token === undefined) return undefined;
    return exactJson(`[${token.headerText},${token.payloadText},"${toHex(token.signature)}"]`);
  }),
  ...Object.fromEntries(
    [...ALGORITHMS].map(([name]) => [`io.jwt.verify_${name.toLowerCase()}`, verifyBy(name)]),
  ),
};

/** Reads header, payload and signature; `undefined` when the token is malformed, or one that wraps another. */
export function readToken(text: string): Token | undefined {
  const [header = '', payload = '', signature = '', ...rest] = text.split('.', 4);
  if (rest.length > 0) return undefined;
  try {
    const [headerText, payloadText] = [fromUtf8(fromBase64Url(header)), fromUtf8(fromBase64Url(payload))];
    const [headerValue, payloadValue] = [parseJson(headerText), parseJson(payloadText)];
    if (!isJsonObject(headerValue) || !isJsonObject(payloadValue)) return undefined;
    return {
      header: headerValue,
      payload: payloadValue,
      headerText,
      payloadText,
      signedBytes: toUtf8(`${header}.${payload}`),
      signature: fromBase64Url(signature),
    };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function verifyBy(algorithm: string): HostBuiltin {
  return onText((text, keyText = '') => {
    const token = readToken(text);
    if (token === undefined) return undefined;
    if (ALGORITHMS.get(algorithm)?.keyType === 'secret') return isMacValid(token, algorithm, keyText);
    const keys = readTokenKeys(keyText);
    return keys === undefined ? undefined : isSignedByAny(token, algorithm, keys);
  });
}

/** The key that the header names, when it is there; else any that may be used with the header's algorithm. */
export function isSignedByAny(token: Token, algorithm: string, keys: readonly TokenKey[]): boolean {
  const { kid, alg } = token.header;
  const named = kid === undefined ? undefined : keys.find(({ keyId }) => keyId === kid);
  const candidates =
    named === undefined
      ? keys.filter((key) => key.algorithm === undefined || key.algorithm === alg)
      : [named];
  return candidates.some(({ key }) => isSignatureValid(token, algorithm, key));
}

export function isMacValid(token: Token, algorithm: string, secret: string): boolean {
  const row = ALGORITHMS.get(algorithm);
  if (row?.hash === undefined || row.keyType !== 'secret') return false;
  return bytesEqual(createHmac(row.hash, secret).update(token.signedBytes).digest(), token.signature);
}

function isSignatureValid(token: Token, algorithm: string, key: KeyObject): boolean {
  const row = ALGORITHMS.get(algorithm);
  const fits = row?.keyType === key.asymmetricKeyType && row?.curve === key.asymmetricKeyDetails?.namedCurve;
  if (row === undefined || !fits) return false;
  const padding = row.isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const parameters =
    row.keyType === 'rsa'
      ? { padding, ...(row.isPss && { saltLength: constants.RSA_PSS_SALTLEN_DIGEST }) }
      : { dsaEncoding: 'ieee-p1363' as const };
  return verify(row.hash, token.signedBytes, { key, ...parameters }, token.signature);
}
