import type { Json, JsonObject } from '../claims/claims.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';

/** `domain SP operation SP content`. */
const ENTRY = /^(\S+) (\S+) (.*)$/s;
/** Deeper content stays text: around it stands a token, which as a whole may be 64 levels deep. */
const MAX_DEPTH = 32;
/** How JSON can begin (RFC 8259), to tell it from text without an exception. */
const JSON_START = /^[ \t\r\n]*[{["\-0-9tfn]/;

/**
 * An entry of the attestation agent's event log (Confidential Containers, "Attestation Agent Event Log"). Content that is
 * JSON is shown as such, unless a second reader could take it for something else: then it stays text.
 * `undefined` for an entry of another form.
 */
export function parseAaelEntry(text: string): JsonObject | undefined {
  const [, domain, operation, content] = ENTRY.exec(text) ?? [];
  if (domain === undefined || operation === undefined || content === undefined) return undefined;
  return { domain, operation, content: JSON_START.test(content) ? jsonOrText(content) : content };
}

function jsonOrText(text: string): Json {
  try {
    const value = parseJsonWithBigInts(text);
    return isExact(value, MAX_DEPTH) ? value : text;
  } catch (error) {
    if (error instanceof MalformedError) return text;
    throw error;
  }
}

/**
 * Whether the value survives being written as JSON again: no integers beyond 2^53, no infinities, no half characters,
 * at most `depth` levels.
 */
function isExact(value: unknown, depth: number): value is Json {
  if (typeof value === 'bigint') return false;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((element) => isExact(element, depth - 1));
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isExact(member, depth - 1));
}
