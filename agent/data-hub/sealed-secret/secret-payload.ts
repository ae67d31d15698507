import { z } from 'zod';
import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { WRAP_TYPES } from '../content-cipher.ts';
import { base64Member, settingsMember } from '../json-members.ts';
import { SealedSecretError } from './sealed-secret-error.ts';

const VERSION = '0.1.0';
const MAX_NAME_LENGTH = 4096;

const name = z.string().min(1).max(MAX_NAME_LENGTH);
const provider = { provider: name, provider_settings: settingsMember, annotations: settingsMember };

/** Content under a key that a provider has encrypted. */
const envelopeSchema = z.strictObject({
  version: z.literal(VERSION),
  type: z.literal('envelope'),
  key_id: name,
  encrypted_key: base64Member,
  encrypted_data: base64Member,
  wrap_type: z.enum(WRAP_TYPES),
  iv: base64Member,
  ...provider,
});
/** The name of a secret that a provider keeps. */
const vaultSchema = z.strictObject({
  version: z.literal(VERSION),
  type: z.literal('vault'),
  name,
  ...provider,
});
const payloadSchema = z.discriminatedUnion('type', [envelopeSchema, vaultSchema]);
const kindSchema = z.looseObject({ version: z.string(), type: z.string() });

export type SecretPayload = z.output<typeof payloadSchema>;
export type EnvelopePayload = z.output<typeof envelopeSchema>;
/** As it is written. */
export type SecretDocument = z.input<typeof payloadSchema>;

/**
 * Reads what was signed. Throws SealedSecretError: SEALED_SECRET_VERSION_UNSUPPORTED, SEALED_SECRET_TYPE_UNSUPPORTED,
 * SEALED_SECRET_PAYLOAD_MALFORMED.
 */
export function parseSecretPayload(payload: Uint8Array): SecretPayload {
  const document = readDocument(payload);
  const kind = kindSchema.safeParse(document);
  if (!kind.success) throw malformed("'version' and 'type'");
  const { version, type } = kind.data;
  if (version !== VERSION) {
    throw new SealedSecretError(
      'SEALED_SECRET_VERSION_UNSUPPORTED',
      `sealed secret: expected version ${VERSION}, got '${shown(version)}'`,
    );
  }
  if (type !== 'envelope' && type !== 'vault') {
    throw new SealedSecretError(
      'SEALED_SECRET_TYPE_UNSUPPORTED',
      `sealed secret: expected the type envelope or vault, got '${shown(type)}'`,
    );
  }
  const parsed = payloadSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const member = parsed.error.issues[0]?.path.join('.') ?? '';
  throw malformed(
    member === '' ? `the members of ${type} and no others` : `'${member}' of ${type} as it has to be`,
  );
}

function readDocument(payload: Uint8Array): unknown {
  try {
    return parseJson(fromUtf8(payload));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed('JSON');
  }
}

function shown(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 32);
}

function malformed(expected: string): SealedSecretError {
  return new SealedSecretError(
    'SEALED_SECRET_PAYLOAD_MALFORMED',
    `sealed secret: expected a payload with ${expected}, got another`,
  );
}
