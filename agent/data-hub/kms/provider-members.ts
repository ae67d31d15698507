import { z } from 'zod';
import { fromBase64, fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { type Annotations, KmsError, type KmsErrorCode, type ProviderSettings } from './kms.ts';

/** Throws KmsError PROVIDER_SETTINGS_MALFORMED, with the member that is not as it has to be. */
export function parseSettings<T>(provider: string, schema: z.ZodType<T>, settings: ProviderSettings): T {
  return parseMembers('PROVIDER_SETTINGS_MALFORMED', `settings of ${provider}`, schema, settings);
}

/** Throws KmsError PROVIDER_ANNOTATIONS_MALFORMED, with the member that is not as it has to be. */
export function parseAnnotations<T>(provider: string, schema: z.ZodType<T>, annotations: Annotations): T {
  return parseMembers('PROVIDER_ANNOTATIONS_MALFORMED', `annotations of ${provider}`, schema, annotations);
}

/** Base64 as it travels on: checked here, so that a mistake is the secret's and not the service's. */
export const base64Text = z.string().refine((text) => {
  try {
    fromBase64(text);
    return true;
  } catch (error) {
    if (isCodedError(error)) return false;
    throw error;
  }
});

/** A name that becomes one segment of a path. */
export const pathSegment = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/);

/** Several such names; none of them leads upwards. */
export const pathSegments = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,15}$/);

/** Throws KmsError KMS_NAME_REFUSED when the name of a key or secret is not of the provider's form. */
export function parseName<T>(what: string, schema: z.ZodType<T>, name: string): T {
  const parsed = schema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new KmsError('KMS_NAME_REFUSED', `expected the name of ${what}, got something else`);
}

/** Of services whose ciphertext is text. Throws KmsError KMS_REQUEST_REFUSED: no such service made these bytes. */
export function textCiphertext(provider: string, ciphertext: Uint8Array): string {
  try {
    return fromUtf8(ciphertext);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw new KmsError('KMS_REQUEST_REFUSED', `expected ciphertext of ${provider}, got other bytes`);
  }
}

function parseMembers<T>(
  code: KmsErrorCode,
  what: string,
  schema: z.ZodType<T>,
  members: ProviderSettings | Annotations,
): T {
  const parsed = schema.safeParse(members);
  if (parsed.success) return parsed.data;
  const member = parsed.error.issues[0]?.path.join('.') ?? '';
  const expected = member === '' ? 'its members and no others' : `'${member}' as it has to be`;
  throw new KmsError(code, `${what}: expected ${expected}, got something else`);
}
