import { z } from 'zod';
import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { WRAP_TYPES } from '../content-cipher.ts';
import { base64Member, settingsMember } from '../json-members.ts';
import { KeyUnwrapError } from './key-unwrap-error.ts';

const VERSION = '0.1.0';
const MAX_NAME_LENGTH = 4096;

/** Of an encrypted image's layer. Version 1 has the first four members, so that it is a version 2 with defaults. */
const packetSchema = z.strictObject({
  kid: z.string().min(1).max(MAX_NAME_LENGTH),
  wrapped_data: base64Member,
  iv: base64Member.nullish(),
  wrap_type: z.enum(WRAP_TYPES).nullish(),
  version: z.literal(VERSION).default(VERSION),
  provider: z.string().min(1).max(MAX_NAME_LENGTH).default('kbs'),
  provider_settings: settingsMember,
  annotations: settingsMember,
});
export type AnnotationPacket = z.output<typeof packetSchema>;

const versionSchema = z.object({ version: z.string() });

/** Throws KeyUnwrapError ANNOTATION_PACKET_MALFORMED, ANNOTATION_PACKET_VERSION_UNSUPPORTED. */
export function parseAnnotationPacket(packet: Uint8Array): AnnotationPacket {
  const document = readDocument(packet);
  const version = versionSchema.safeParse(document);
  if (version.success && version.data.version !== VERSION) {
    throw new KeyUnwrapError(
      'ANNOTATION_PACKET_VERSION_UNSUPPORTED',
      `annotation packet: expected version ${VERSION}, got '${version.data.version.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 32)}'`,
    );
  }
  const parsed = packetSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const member = parsed.error.issues[0]?.path.join('.') ?? '';
  throw packetMalformed(member === '' ? 'its members and no others' : `'${member}' as it has to be`);
}

export function packetMalformed(expected: string): KeyUnwrapError {
  return new KeyUnwrapError(
    'ANNOTATION_PACKET_MALFORMED',
    `annotation packet: expected ${expected}, got something else`,
  );
}

function readDocument(packet: Uint8Array): unknown {
  try {
    return parseJson(fromUtf8(packet));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw packetMalformed('JSON');
  }
}
