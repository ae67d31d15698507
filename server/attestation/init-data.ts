import { parse as parseToml, TomlDate, TomlError, type TomlTable, type TomlValue } from 'smol-toml';
import { fromBase64Url } from '../bytes/encoding.ts';
import type { Json, JsonObject } from '../claims/claims.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { parseJson } from '../json/strict-json.ts';
import { digest, isHashAlgorithm } from './hash-algorithm.ts';
import { AttestationRequestError } from './request-error.ts';

/** Init data as it came over the wire: absent, a digest to compare, or the TOML document whose digest to compare. */
export type InitData =
  | { readonly init_data_digest: string }
  | { readonly init_data_toml: string }
  | undefined;

export interface BoundInitData {
  readonly digest: Uint8Array | undefined;
  /** The document's `data` table as policies and tokens show it; null when there was no document. */
  readonly claims: Json;
}

/** Kata's agent policy carries its data behind this text, at the beginning of a line, up to the end of the document. */
const AGENT_POLICY_DATA = /^policy_data := (?=\{)/gm;
const MAX_TOML_DEPTH = 32;
/** Of SHA-512, the longest of the algorithms. */
const MAX_DIGEST_LENGTH = 64;

/** What the evidence has to carry for this init data, and what it says. */
export function bindInitData(data: InitData): BoundInitData {
  if (data === undefined) return { digest: undefined, claims: null };
  if ('init_data_digest' in data) return { digest: parseDigest(data.init_data_digest), claims: null };
  const document = parseInitData(data.init_data_toml);
  return { digest: document.digest, claims: initDataClaims(document.entries) };
}

function parseDigest(text: string): Uint8Array {
  const bytes = fromBase64Url(text);
  if (bytes.byteLength <= MAX_DIGEST_LENGTH) return bytes;
  throw invalid('init_data_digest', `at most ${MAX_DIGEST_LENGTH} bytes, got ${bytes.byteLength}`);
}

function parseInitData(toml: string): { digest: Uint8Array; entries: Readonly<Record<string, string>> } {
  const { version, algorithm, data } = tomlDocument(toml);
  if (typeof version !== 'string') throw invalid('version', 'a string');
  if (typeof algorithm !== 'string' || !isHashAlgorithm(algorithm)) {
    throw invalid('algorithm', 'sha256, sha384, sha512 or sm3, in lower case');
  }
  if (!isTable(data)) throw invalid('data', 'a table of strings');
  const entries = Object.entries(data).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') throw invalid(`data.${name}`, 'a string');
    return [name, value];
  });
  return { digest: digest(algorithm, toml), entries: Object.fromEntries(entries) };
}

function tomlDocument(toml: string): TomlTable {
  try {
    return parseToml(toml, { maxDepth: MAX_TOML_DEPTH });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new AttestationRequestError(
      'INIT_DATA_INVALID',
      `expected init data as TOML, got text that is not, at line ${cause.line}, column ${cause.column}`,
      { cause },
    );
  }
}

/** Upstream's transformation: the configurations of the agents as objects, the agent policy's data for policies to read. */
function initDataClaims(entries: Readonly<Record<string, string>>): JsonObject {
  const claims: Record<string, Json> = {};
  for (const [name, text] of Object.entries(entries)) {
    const agentPolicyClaims = name === 'policy.rego' ? agentPolicyData(text) : undefined;
    if (agentPolicyClaims !== undefined) claims['agent_policy_claims'] = agentPolicyClaims;
    else claims[name] = name === 'cdh.toml' || name === 'aa.toml' ? tomlClaims(text) : text;
  }
  return claims;
}

function tomlClaims(text: string): Json {
  try {
    return toJson(parseToml(text, { maxDepth: MAX_TOML_DEPTH }));
  } catch (error) {
    if (error instanceof TomlError) return text;
    throw error;
  }
}

/**
 * The data of the agent policy, or undefined when it cannot be told for sure. More than one marker is ambiguous: one of
 * them would be inside a string, and which one counts would depend on the reader.
 */
function agentPolicyData(rego: string): Json | undefined {
  const [marker, ...others] = [...rego.matchAll(AGENT_POLICY_DATA)];
  if (marker === undefined || others.length > 0) return undefined;
  try {
    return parseJson(rego.slice(marker.index + marker[0].length)) as Json;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function toJson(value: TomlValue): Json {
  if (value instanceof TomlDate) return value.toISOString();
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toJson(member)]));
  }
  return value;
}

function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

function invalid(member: string, expected: string): AttestationRequestError {
  return new AttestationRequestError('INIT_DATA_INVALID', `init data: expected ${member} to be ${expected}`);
}
