import { z } from 'zod';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { base64UrlBytes, utf8Text } from '../text-encoding.ts';
import { TeeKeyError } from './tee-key-error.ts';

const MAX_HEADER_LENGTH = 4096;
const party = z.base64url().max(1024).optional();

/** The public key that the sender made for this resource alone. Members beyond these are not part of the key. */
const ephemeralKeySchema = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });

/** JOSE header (RFC 7516, section 4). Strict: a member that changes what the content means is not passed over. */
const headerSchema = z.discriminatedUnion('alg', [
  z.strictObject({ alg: z.literal('RSA-OAEP-256'), enc: z.literal('A256GCM') }),
  z.strictObject({
    alg: z.literal('ECDH-ES+A256KW'),
    enc: z.literal('A256GCM'),
    epk: ephemeralKeySchema,
    apu: party,
    apv: party,
  }),
]);
export type SealedHeader = z.output<typeof headerSchema>;
export type AgreementHeader = Extract<SealedHeader, { alg: 'ECDH-ES+A256KW' }>;

const ALGORITHMS = new Set(['RSA-OAEP-256', 'ECDH-ES+A256KW']);
const namesSchema = z.looseObject({ alg: z.string(), enc: z.string() });

/**
 * Reads the protected header of a sealed resource. Throws TeeKeyError: SEALED_HEADER_MALFORMED,
 * SEALED_BY_OTHER_ALGORITHM for what no key of ours opens (RSA1_5 and ML-KEM among them), SEALED_ENCRYPTION_UNSUPPORTED.
 */
export function parseSealedHeader(encoded: string): SealedHeader {
  const document = readDocument(encoded);
  const names = namesSchema.safeParse(document);
  if (!names.success) throw malformed("'alg' and 'enc'");
  const { alg, enc } = names.data;
  if (!ALGORITHMS.has(alg)) {
    throw new TeeKeyError(
      'SEALED_BY_OTHER_ALGORITHM',
      `expected a resource sealed by ECDH-ES+A256KW or RSA-OAEP-256, got '${alg.slice(0, 32)}'`,
    );
  }
  if (enc !== 'A256GCM') {
    throw new TeeKeyError(
      'SEALED_ENCRYPTION_UNSUPPORTED',
      `expected content under A256GCM, got '${enc.slice(0, 32)}'`,
    );
  }
  const parsed = headerSchema.safeParse(document);
  if (!parsed.success) throw malformed(`the members of ${alg} and no others`);
  return parsed.data;
}

function readDocument(encoded: string): unknown {
  if (encoded.length > MAX_HEADER_LENGTH) throw malformed(`at most ${MAX_HEADER_LENGTH} characters`);
  try {
    return parseJson(utf8Text(base64UrlBytes(encoded)));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed('JSON in base64url', cause);
  }
}

function malformed(expected: string, cause?: unknown): TeeKeyError {
  return new TeeKeyError(
    'SEALED_HEADER_MALFORMED',
    `sealed resource: expected a protected header of ${expected}, got another`,
    { cause },
  );
}
