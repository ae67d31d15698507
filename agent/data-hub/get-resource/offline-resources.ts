import { z } from 'zod';
import { fromBase64 } from '../../../server/bytes/encoding.ts';
import { CodedError, isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import type { GetResource } from '../../kbs-client/resource-servers.ts';
import { parseResourceUri } from '../../resource-uri.ts';

export type OfflineResourceErrorCode = 'OFFLINE_FILE_MALFORMED' | 'OFFLINE_RESOURCE_NOT_FOUND';

/** Resources that were put into the guest, or were not. */
export class OfflineResourceError extends CodedError<OfflineResourceErrorCode> {}

export interface OfflineResourceOptions {
  /** The texts of the files, in their order; undefined: there is no such file. */
  readonly texts: readonly (string | undefined)[];
  /** Hears of names that a later file has again; that one counts. */
  readonly onDuplicate: (name: string) => void;
}

/** Where upstream's `offline_fs_kbc` looks. */
export const OFFLINE_FILES: readonly string[] = [
  '/etc/aa-offline_fs_kbc-keys.json',
  '/etc/aa-offline_fs_kbc-resources.json',
];

const MAX_RESOURCES = 10_000;
const fileSchema = z.record(z.string().min(1).max(1024), z.string());

/**
 * Resources without a server, for development and air-gapped guests: `offline_fs_kbc`. Each file is a JSON object of
 * `repository/type/tag` and base64. Host, plugin and query of a URI are not looked at, as upstream does. Throws
 * OfflineResourceError OFFLINE_FILE_MALFORMED; the getter OFFLINE_RESOURCE_NOT_FOUND, and ResourceUriError.
 */
export function createOfflineGetter({ texts, onDuplicate }: OfflineResourceOptions): GetResource {
  const resources = new Map<string, Uint8Array>();
  for (const text of texts) {
    if (text === undefined) continue;
    for (const [name, content] of readFile(text)) {
      if (resources.has(name)) onDuplicate(name);
      resources.set(name, content);
    }
    if (resources.size > MAX_RESOURCES) throw malformed(`at most ${MAX_RESOURCES} resources`);
  }
  return async (uri) => {
    const { segments } = typeof uri === 'string' ? parseResourceUri(uri) : uri;
    const found = resources.get(segments.join('/'));
    if (found !== undefined) return Uint8Array.from(found); // a copy, since whoever gets it may wipe it
    throw new OfflineResourceError(
      'OFFLINE_RESOURCE_NOT_FOUND',
      `expected one of the ${resources.size} resources of this guest's files, got another name`,
    );
  };
}

function readFile(text: string): readonly (readonly [string, Uint8Array])[] {
  try {
    const parsed = fileSchema.safeParse(parseJson(text));
    if (!parsed.success) throw malformed('a JSON object of names and base64');
    return Object.entries(parsed.data).map(([name, content]) => [name, fromBase64(content)]);
  } catch (cause) {
    if (!isCodedError(cause) || cause instanceof OfflineResourceError) throw cause;
    // No cause: its message may show a name, and the names of secrets tell something.
    throw malformed('a JSON object of names and base64');
  }
}

function malformed(expected: string): OfflineResourceError {
  return new OfflineResourceError(
    'OFFLINE_FILE_MALFORMED',
    `offline resources: expected ${expected}, got something else`,
  );
}
