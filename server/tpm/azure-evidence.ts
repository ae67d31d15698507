import { fromBase64Url, fromHex } from '../bytes/encoding.ts';
import { isCodedError } from '../errors/coded-error.ts';
import { AzureEvidenceError } from './azure-evidence-error.ts';
import { MAX_PCR_VALUES } from './pcr-values.ts';
import type { TpmQuote } from './quote-verification.ts';

/**
 * Version 2 binds the request in the hardware report too, by the user data of the HCL report; 1 is the same without;
 * 0, which does not say so, writes bytes as arrays of numbers.
 */
export type AzureEvidenceVersion = 0 | 1 | 2;

export type Members = Readonly<Record<string, unknown>>;

/** A TPMS_ATTEST of a quote is below 300 bytes, an RSA-4096 signature 512. */
const MAX_QUOTE_PART_BYTES = 1024;

/** The evidence as a JSON object, and its version. Throws AzureEvidenceError EVIDENCE_MALFORMED, EVIDENCE_VERSION_UNSUPPORTED. */
export function readAzureEvidence(evidence: unknown): {
  readonly document: Members;
  readonly version: AzureEvidenceVersion;
} {
  const document = membersOf(evidence, 'evidence');
  const { version = 0 } = document;
  if (version === 0 || version === 1 || version === 2) return { document, version };
  throw new AzureEvidenceError(
    'EVIDENCE_VERSION_UNSUPPORTED',
    `expected evidence of version 1 or 2, or one without version, got ${typeof version === 'number' ? version : typeof version}`,
  );
}

/**
 * The quote of a vTPM: its key is RSA, its scheme RSASSA with SHA-256; the evidence does not name them.
 * Throws AzureEvidenceError EVIDENCE_MALFORMED.
 */
export function readVtpmQuote(value: unknown, name: string, version: AzureEvidenceVersion): TpmQuote {
  const source = membersOf(value, name);
  const part = (member: string): Uint8Array =>
    version === 0
      ? readByteArray(source[member], `${name}.${member}`, MAX_QUOTE_PART_BYTES)
      : readHex(source[member], `${name}.${member}`, MAX_QUOTE_PART_BYTES);
  const { pcrs } = source;
  if (!Array.isArray(pcrs) || pcrs.length > MAX_PCR_VALUES) {
    throw malformed(`'${name}.pcrs' as an array of at most ${MAX_PCR_VALUES} values`);
  }
  const values: readonly unknown[] = pcrs;
  return {
    message: part('message'),
    signature: { scheme: 'rsassa', hash: 'sha256', signature: part('signature') },
    pcrValues: values.map((pcr) =>
      version === 0 ? readByteArray(pcr, `${name}.pcrs`, 64) : readHex(pcr, `${name}.pcrs`, 64),
    ),
  };
}

/** Bytes in the form of a version: base64url, with or without padding, or an array of numbers. */
export function readBytes(
  value: unknown,
  name: string,
  version: AzureEvidenceVersion,
  maximum: number,
): Uint8Array {
  return version === 0 ? readByteArray(value, name, maximum) : readBase64Url(value, name, maximum);
}

export function malformed(expected: string, cause?: unknown): AzureEvidenceError {
  return new AzureEvidenceError('EVIDENCE_MALFORMED', `expected ${expected}, got something else`, { cause });
}

function readBase64Url(value: unknown, name: string, maximum: number): Uint8Array {
  if (typeof value !== 'string' || value.length > Math.ceil(maximum / 3) * 4) {
    throw malformed(`'${name}' as base64url of at most ${maximum} bytes`);
  }
  const isPadded = value.length % 4 === 0;
  return decode(
    () => fromBase64Url(isPadded ? value.replace(/={1,2}$/, '') : value),
    `'${name}' as base64url`,
  );
}

function readHex(value: unknown, name: string, maximum: number): Uint8Array {
  if (typeof value !== 'string' || value.length > 2 * maximum) {
    throw malformed(`'${name}' as hex of at most ${maximum} bytes`);
  }
  return decode(() => fromHex(value), `'${name}' as hex`);
}

function readByteArray(value: unknown, name: string, maximum: number): Uint8Array {
  if (!Array.isArray(value) || value.length > maximum) {
    throw malformed(`'${name}' as an array of at most ${maximum} bytes`);
  }
  const numbers: readonly unknown[] = value;
  const bytes = new Uint8Array(numbers.length);
  for (const [index, byte] of numbers.entries()) {
    if (typeof byte !== 'number' || (byte & 0xff) !== byte) throw malformed(`bytes in '${name}'`);
    bytes[index] = byte;
  }
  return bytes;
}

function decode(read: () => Uint8Array, expected: string): Uint8Array {
  try {
    return read();
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed(expected, cause);
  }
}

function membersOf(value: unknown, name: string): Members {
  if (!isMembers(value)) throw malformed(`'${name}' as a JSON object`);
  return value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
