import { z } from 'zod';
import { sha256 } from '../../server/bytes/byte-strings.ts';
import { toBase64Url } from '../../server/bytes/encoding.ts';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { ClientError } from '../client-error.ts';
import { parseTeeKeyPem, teeKeyPem } from '../tee-key/tee-key-pem.ts';
import { type BoundToken, checkTokenOnArrival } from './token-on-arrival.ts';

const textSchema = z.object({ token: z.string(), tee_keypair: z.string() });

/** A token with its key, byte for byte as upstream's Attestation Agent answers for `kbs`. A secret. */
export function boundTokenText({ token, key }: BoundToken): string {
  return JSON.stringify({ token, tee_keypair: teeKeyPem(key) });
}

/**
 * Reads the same, from an Attestation Agent or a file, and looks at the token as when it came from a server.
 * Throws ClientError TOKEN_MALFORMED and those of checkTokenOnArrival, TeeKeyError TEE_KEY_MALFORMED.
 */
export async function parseBoundToken(
  text: string,
  when: { readonly at: Date; readonly skewSeconds: number },
): Promise<BoundToken> {
  const parsed = textSchema.safeParse(documentOf(text));
  // No cause and no issues: they may repeat the text, and the text holds a key.
  if (!parsed.success) throw malformed();
  return checkTokenOnArrival(parsed.data.token, await parseTeeKeyPem(parsed.data.tee_keypair), when);
}

/** Names a token without being one: SHA-256, base64url. */
export function fingerprintOf({ token }: BoundToken): string {
  return toBase64Url(sha256(token));
}

function documentOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    if (isCodedError(cause)) return undefined;
    throw cause;
  }
}

function malformed(): ClientError {
  return new ClientError(
    'TOKEN_MALFORMED',
    "expected JSON with 'token' and 'tee_keypair', got something else",
  );
}
