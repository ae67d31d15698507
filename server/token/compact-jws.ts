import { fromBase64Url, fromUtf8, toUtf8 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { CodedError } from '../errors/coded-error.ts';
import { parseJson } from '../json/strict-json.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { TokenError } from './token-error.ts';

/** Characters. A token with the evidence of several GPUs stays below; nothing longer is even split. */
const MAX_TOKEN_LENGTH = 262_144;
const MAX_NAME_LENGTH = 512;

/** A compact JWS, read but not believed: its signature has not been looked at. */
export interface CompactJws {
  readonly algorithm: string;
  readonly keyId: string | undefined;
  /** The signer's public key as the token itself states it. Attacker-controlled until endorsed. */
  readonly jwk: JsonObject | undefined;
  readonly payload: JsonObject;
  /** What the signature covers, exactly as it came (RFC 7515, section 5.2). */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads the compact serialisation strictly: three parts, canonical base64url, JSON objects without duplicate members,
 * no extension that we would have to understand. Throws TokenError.
 */
export function parseCompactJws(token: string): CompactJws {
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new TokenError(
      'TOKEN_TOO_LARGE',
      `expected a token of at most ${MAX_TOKEN_LENGTH} characters, got ${token.length}`,
    );
  }
  const parts = token.split('.', 4);
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw new TokenError('TOKEN_MALFORMED', 'expected a signed token of three parts, got another number');
  }
  return {
    ...readHeader(parseObject('header', header)),
    payload: parseObject('payload', payload),
    signedBytes: toUtf8(`${header}.${payload}`),
    signature: decode('signature', signature),
  };
}

function readHeader(header: JsonObject): Pick<CompactJws, 'algorithm' | 'keyId' | 'jwk'> {
  // RFC 7515, section 4.1.11: an extension that is critical and not understood refuses the token. We understand none.
  if (header['crit'] !== undefined || (header['b64'] ?? true) !== true) {
    throw new TokenError('TOKEN_EXTENSION_UNSUPPORTED', "expected no 'crit' or 'b64' in the token's header");
  }
  const algorithm = nameIn(header, 'alg');
  if (algorithm === undefined) throw malformed("a header with 'alg'");
  const jwk = header['jwk'];
  if (jwk !== undefined && !isJsonObject(jwk)) throw malformed("'jwk' to be an object");
  return { algorithm, keyId: nameIn(header, 'kid'), jwk };
}

function nameIn(header: JsonObject, member: string): string | undefined {
  const value = header[member];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > MAX_NAME_LENGTH)
    throw malformed(`'${member}' to be a name`);
  return value;
}

function parseObject(part: string, text: string): JsonObject {
  const bytes = decode(part, text);
  try {
    const value = parseJson(fromUtf8(bytes));
    if (isJsonObject(value)) return value;
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformed(`a ${part} in JSON (${cause.message})`, { cause });
  }
  throw malformed(`the ${part} to be a JSON object`);
}

function decode(part: string, text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformed(`a ${part} in base64url`, { cause });
  }
}

function malformed(expected: string, options?: ErrorOptions): TokenError {
  return new TokenError('TOKEN_MALFORMED', `expected ${expected}, got something else`, options);
}
