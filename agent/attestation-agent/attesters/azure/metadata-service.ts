import { concatBytes } from '../../../../server/bytes/byte-strings.ts';
import { fromBase64Url, fromUtf8, toBase64Url } from '../../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { parseJson } from '../../../../server/json/strict-json.ts';
import { isJsonObject } from '../../../../server/protocol/json-object.ts';
import { AttesterError } from '../attester-error.ts';

/** What an Azure VM asks of its host. Nothing of it is trusted: servers verify certificate and quote. */
export interface MetadataService {
  /** PEM of the chip's endorsement key certificate. */
  vcek(): Promise<string>;
  /** The quote of a TDREPORT of 1024 bytes. */
  tdQuote(tdReport: Uint8Array): Promise<Uint8Array>;
}

export interface MetadataServiceOptions {
  /** `http://169.254.169.254` unless tests have another. */
  readonly baseUrl?: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly deadlineMilliseconds?: number;
}

const BASE_URL = 'http://169.254.169.254';
const CERTIFICATION_PATH = '/metadata/THIM/amd/certification';
const TD_QUOTE_PATH = '/acc/tdquote';
const DEADLINE_MILLISECONDS = 15_000;
const MAX_REPLY_BYTES = 128 * 1024;

/**
 * Azure's instance metadata service, on a link-local address that the host answers. Throws AttesterError
 * METADATA_SERVICE_UNAVAILABLE, METADATA_REPLY_MALFORMED.
 */
export function createMetadataService(options: MetadataServiceOptions = {}): MetadataService {
  return {
    async vcek() {
      return await readText(options, CERTIFICATION_PATH, 'vcekCert', {
        headers: { Metadata: 'true' },
      });
    },
    async tdQuote(tdReport) {
      const text = await readText(options, TD_QUOTE_PATH, 'quote', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ report: toBase64Url(tdReport) }),
      });
      try {
        return fromBase64Url(text.replace(/={0,2}$/, ''));
      } catch (cause) {
        if (!isCodedError(cause)) throw cause;
        throw malformed("'quote' in base64url", cause);
      }
    },
  };
}

async function readText(
  options: MetadataServiceOptions,
  path: string,
  member: string,
  request: RequestInit,
): Promise<string> {
  const document = readJson(await readReply(options, path, request));
  const text = isJsonObject(document) ? document[member] : undefined;
  if (typeof text === 'string' && text !== '') return text;
  throw malformed(`'${member}' as text`);
}

async function readReply(
  {
    baseUrl = BASE_URL,
    fetch = globalThis.fetch,
    deadlineMilliseconds = DEADLINE_MILLISECONDS,
  }: MetadataServiceOptions,
  path: string,
  request: RequestInit,
): Promise<Uint8Array> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(deadlineMilliseconds);
    response = await fetch(`${baseUrl}${path}`, { ...request, signal, redirect: 'error' });
    if (response.ok) return await readBody(response);
  } catch (cause) {
    if (isCodedError(cause)) throw cause;
    throw unavailable('an answer', 'none', cause);
  }
  await response.body?.cancel();
  throw unavailable('status 200', `${response.status}`);
}

async function readBody({ body }: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[] = body ?? [];
  for await (const chunk of chunks) {
    length += chunk.byteLength;
    if (length > MAX_REPLY_BYTES) throw malformed(`at most ${MAX_REPLY_BYTES} bytes`);
    parts.push(chunk);
  }
  return concatBytes(...parts);
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return parseJson(fromUtf8(bytes));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed('JSON', cause);
  }
}

function unavailable(expected: string, came: string, cause?: unknown): AttesterError {
  return new AttesterError(
    'METADATA_SERVICE_UNAVAILABLE',
    `expected ${expected} from Azure's metadata service, got ${came}`,
    { cause },
  );
}

function malformed(expected: string, cause?: unknown): AttesterError {
  return new AttesterError(
    'METADATA_REPLY_MALFORMED',
    `expected ${expected} from Azure's metadata service, got something else`,
    { cause },
  );
}
