import { z } from 'zod';
import { fromBase64Url, fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { SealedSecretError, type SealedSecretErrorCode } from './sealed-secret-error.ts';

/** `sealed.` and a JWS in compact form (RFC 7515, section 3.1), taken apart. Nothing is verified. */
export interface SignedSecret {
  readonly kid: string;
  readonly payload: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
  /** What the signature covers, as it came: `header.payload`. */
  readonly signedText: string;
}

const PREFIX = 'sealed.';
/** As much as fits into one call with room to spare; secrets are passwords and keys. */
const MAX_LENGTH = 1 << 20;
const MAX_KID_LENGTH = 1024;
const SIGNATURE_BYTES = 64;

/**
 * Strict: a member that changes what is signed, `crit` among them, is not passed over. `b64` is written by upstream's
 * tool; true is what a JWS without it means (RFC 7797, section 3).
 */
const headerSchema = z.strictObject({
  alg: z.literal('ES256'),
  kid: z.string().min(1).max(MAX_KID_LENGTH),
  b64: z.literal(true).optional(),
});
const algorithmSchema = z.looseObject({ alg: z.string() });

/**
 * Reads a sealed secret. Throws SealedSecretError: SEALED_SECRET_MALFORMED, SEALED_SECRET_HEADER_MALFORMED,
 * SEALED_SECRET_ALGORITHM_UNSUPPORTED for all but ES256, `none` among them.
 */
export function parseSignedSecret(secret: string): SignedSecret {
  const [header, payload, signature] = partsOf(secret);
  const { kid } = parseHeader(header);
  const bytes = decode(signature, 'a signature in base64url');
  if (bytes.byteLength !== SIGNATURE_BYTES) {
    throw malformed(`a signature of ${SIGNATURE_BYTES} bytes`, `${bytes.byteLength}`);
  }
  return {
    kid,
    payload: decode(payload, 'a payload in base64url'),
    signature: bytes,
    signedText: `${header}.${payload}`,
  };
}

/** The payload alone, of secrets whose header and signature are not looked at. Throws SEALED_SECRET_MALFORMED. */
export function parseUnverifiedPayload(secret: string): Uint8Array {
  const [, payload] = partsOf(secret);
  return decode(payload, 'a payload in base64url');
}

export function formatSealedSecret(signedText: string, signature: string): string {
  return `${PREFIX}${signedText}.${signature}`;
}

/** The prefix is taken off once and has to be there: `sealed.sealed.…` and a bare JWS are no sealed secrets. */
function partsOf(secret: string): readonly [header: string, payload: string, signature: string] {
  if (secret.length > MAX_LENGTH) throw malformed(`at most ${MAX_LENGTH} characters`, `${secret.length}`);
  const [prefix, header, payload, signature, ...more] = secret.split('.', 6);
  if (`${prefix ?? ''}.` !== PREFIX || header === 'sealed') throw malformed(`'${PREFIX}' in front, once`);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw malformed('three parts after the prefix');
  }
  return [header, payload, signature];
}

function parseHeader(encoded: string): z.output<typeof headerSchema> {
  const document = readHeader(encoded);
  const algorithm = algorithmSchema.safeParse(document);
  if (algorithm.success && algorithm.data.alg !== 'ES256') {
    throw new SealedSecretError(
      'SEALED_SECRET_ALGORITHM_UNSUPPORTED',
      `sealed secret: expected alg ES256, got '${algorithm.data.alg.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 32)}'`,
    );
  }
  const parsed = headerSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw headerMalformed("'alg', 'kid' and nothing else");
}

function readHeader(encoded: string): unknown {
  try {
    return parseJson(fromUtf8(fromBase64Url(encoded)));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw headerMalformed('JSON in base64url', cause);
  }
}

function decode(text: string, what: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed(what, undefined, cause);
  }
}

function headerMalformed(expected: string, cause?: unknown): SealedSecretError {
  return failure('SEALED_SECRET_HEADER_MALFORMED', `a protected header of ${expected}`, undefined, cause);
}

function malformed(expected: string, got?: string, cause?: unknown): SealedSecretError {
  return failure('SEALED_SECRET_MALFORMED', expected, got, cause);
}

function failure(
  code: SealedSecretErrorCode,
  expected: string,
  got = 'something else',
  cause?: unknown,
): SealedSecretError {
  return new SealedSecretError(code, `sealed secret: expected ${expected}, got ${got}`, { cause });
}
