import { join } from 'node:path';
import type { z } from 'zod';
import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { readFileInside } from '../file-inside.ts';
import { KmsError } from './kms.ts';

/** Where upstream's drivers look, each in a folder of its provider's name. */
export const KMS_CREDENTIAL_FOLDER = '/run/confidential-containers/cdh/kbs/kms-credential';

/** What the guest shows to key management services: files that the hub has fetched, or that were put there. */
export interface CredentialFolder {
  /** Where the provider's files are. */
  folderOf(provider: string): string;
  /** Throws KmsError CREDENTIALS_MISSING, CREDENTIALS_MALFORMED for what is larger than any credential or no text. */
  readText(provider: string, file: string): Promise<string>;
}

/** A client key of Aliyun, PKCS#12 in base64, has 4 KiB. */
const MAX_CREDENTIAL_BYTES = 65_536;
const NAME_PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function createCredentialFolder(folder: string = KMS_CREDENTIAL_FOLDER): CredentialFolder {
  return {
    folderOf: (provider) => join(folder, provider),
    async readText(provider, file) {
      const bytes = await readFileInside(join(folder, provider), file, MAX_CREDENTIAL_BYTES).catch(
        (cause: unknown) => {
          throw missing(provider, file, 'none that can be read', cause);
        },
      );
      if (bytes === undefined) throw missing(provider, file, 'a link that leads out of it');
      if (bytes.byteLength > MAX_CREDENTIAL_BYTES) {
        throw malformed(provider, file, `at most ${MAX_CREDENTIAL_BYTES} bytes`);
      }
      return readText(provider, file, bytes);
    },
  };
}

/**
 * A part of a file's name that a secret chooses: one that leads to no other folder. Throws KmsError KMS_NAME_REFUSED.
 */
export function fileNamePart(member: string, text: string): string {
  if (NAME_PART.test(text)) return text;
  throw new KmsError(
    'KMS_NAME_REFUSED',
    `expected '${member}' to be letters, digits, '.', '_' and '-', got something else`,
  );
}

/** Throws KmsError as CredentialFolder does, and CREDENTIALS_MALFORMED for what is not as the schema has it. */
export async function readCredential<T>(
  folder: CredentialFolder,
  provider: string,
  file: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const parsed = schema.safeParse(readJson(provider, file, await folder.readText(provider, file)));
  if (parsed.success) return parsed.data;
  // The path of the member and nothing of the issue: it may show what came.
  const member = parsed.error.issues[0]?.path.join('.') ?? '';
  throw malformed(
    provider,
    file,
    member === '' ? 'its members and no others' : `'${member}' as it has to be`,
  );
}

export function malformed(provider: string, file: string, expected: string, cause?: unknown): KmsError {
  return new KmsError(
    'CREDENTIALS_MALFORMED',
    `credentials of ${provider}: expected ${expected} in ${file}, got something else`,
    { cause },
  );
}

function missing(provider: string, file: string, got: string, cause?: unknown): KmsError {
  return new KmsError(
    'CREDENTIALS_MISSING',
    `credentials of ${provider}: expected ${file} in the provider's folder, got ${got}`,
    { cause },
  );
}

function readText(provider: string, file: string, bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw malformed(provider, file, 'text');
  }
}

function readJson(provider: string, file: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw malformed(provider, file, 'JSON'); // no cause: it may tell of what is inside
  }
}
