import { createHash } from 'node:crypto';
import { parse as parseToml, TomlError, type TomlTable, type TomlValue } from 'smol-toml';
import { CodedError } from '../../server/errors/coded-error.ts';

export type InitDataErrorCode =
  | 'INIT_DATA_MALFORMED'
  | 'INIT_DATA_VERSION_UNSUPPORTED'
  | 'INIT_DATA_ALGORITHM_UNSUPPORTED'
  | 'INIT_DATA_DIGEST_SIZE';

/** The init data of this guest is not what it should be. Concerns the start. */
export class InitDataError extends CodedError<InitDataErrorCode> {}

/** What the host launched this guest with. Unproven until its digest is bound. */
export interface InitData {
  /** The document as it was written, for those who verify it. */
  readonly text: string;
  /** By its own algorithm, over its bytes. */
  readonly digest: Uint8Array;
  readonly algorithm: InitDataAlgorithm;
  /** File names with their contents: `aa.toml`, `cdh.toml`, `policy.rego`, … */
  readonly entries: ReadonlyMap<string, string>;
}

const VERSION = '0.1.0';
/** Confidential Containers, "Initdata Specification": names with a dash. Its software writes them without. */
const ALGORITHMS = {
  sha256: 'sha256',
  'sha-256': 'sha256',
  sha384: 'sha384',
  'sha-384': 'sha384',
  sha512: 'sha512',
  'sha-512': 'sha512',
  sm3: 'sm3',
} as const;
export type InitDataAlgorithm = (typeof ALGORITHMS)[keyof typeof ALGORITHMS];

/** Four times what a host can pass to a guest in practice. */
const MAX_TEXT_LENGTH = 4 * 1024 * 1024;
const MAX_TOML_DEPTH = 32;
const MAX_MEMBER_LENGTH = 64;

/**
 * Reads init data: TOML with `version` 0.1.0, `algorithm`, and `data`, a table of texts. Throws InitDataError
 * INIT_DATA_MALFORMED, INIT_DATA_VERSION_UNSUPPORTED, INIT_DATA_ALGORITHM_UNSUPPORTED.
 */
export function parseInitData(text: string): InitData {
  const { version, algorithm: algorithmName, data } = readToml(text);
  if (version !== VERSION) {
    throw new InitDataError(
      'INIT_DATA_VERSION_UNSUPPORTED',
      `expected init data of version '${VERSION}', got ${shown(version)}`,
    );
  }
  const algorithm = algorithmOf(algorithmName);
  return { text, algorithm, digest: digestOf(algorithm, text), entries: readEntries(data) };
}

function readToml(text: string): TomlTable {
  if (text.length > MAX_TEXT_LENGTH) {
    throw malformed(`at most ${MAX_TEXT_LENGTH} characters`, `${text.length}`);
  }
  try {
    return parseToml(text, { maxDepth: MAX_TOML_DEPTH });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw malformed('TOML', `text that is not, at line ${cause.line}, column ${cause.column}`, cause);
  }
}

function algorithmOf(name: TomlValue | undefined): InitDataAlgorithm {
  const known: ReadonlyMap<string, InitDataAlgorithm> = new Map(Object.entries(ALGORITHMS));
  const algorithm = typeof name === 'string' ? known.get(name) : undefined;
  if (algorithm !== undefined) return algorithm;
  throw new InitDataError(
    'INIT_DATA_ALGORITHM_UNSUPPORTED',
    `expected sha256, sha384, sha512 or sm3 as the algorithm of the init data, got ${shown(name)}`,
  );
}

function readEntries(data: TomlValue | undefined): ReadonlyMap<string, string> {
  if (typeof data !== 'object' || Array.isArray(data) || data instanceof Date) {
    throw malformed("'data' as a table of texts", shown(data));
  }
  const entries = new Map<string, string>();
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'string') {
      throw malformed(`'data.${name.slice(0, MAX_MEMBER_LENGTH)}' as text`, typeof value);
    }
    entries.set(name, value);
  }
  return entries;
}

/** SM3 is missing where OpenSSL was built without it. */
function digestOf(algorithm: InitDataAlgorithm, text: string): Uint8Array {
  try {
    return createHash(algorithm).update(text).digest();
  } catch (cause) {
    throw new InitDataError(
      'INIT_DATA_ALGORITHM_UNSUPPORTED',
      `expected an algorithm that this system has, got ${algorithm}`,
      { cause },
    );
  }
}

function shown(value: TomlValue | undefined): string {
  return typeof value === 'string' ? `'${value.slice(0, MAX_MEMBER_LENGTH)}'` : typeof value;
}

function malformed(expected: string, came: string, cause?: unknown): InitDataError {
  return new InitDataError('INIT_DATA_MALFORMED', `expected init data: ${expected}, got ${came}`, { cause });
}
