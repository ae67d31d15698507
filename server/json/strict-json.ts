import { type MalformedCode, MalformedError } from '../errors/malformed-error.ts';

/** Deeper than any document of the protocols, far from the depth at which a recursive reader runs out of stack. */
const MAX_DEPTH = 64;
/** A run of digits that may be an integer beyond 2^53. */
const LONG_NUMBER = /[0-9]{16}/;
const INTEGER = /^-?[0-9]+$/;
/** Evidence has a few of 64 bits. It takes a tenth of a second to read one of a million digits. */
const MAX_EXACT_DIGITS = 40;
const MAX_EXACT_INTEGERS = 256;
/** Commas: evidence in arrays of bytes has some nine thousand. */
const MAX_COMMAS = 16_384;
/** Texts, arrays and objects: evidence has some hundred. */
const MAX_MEMBERS = 4096;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const TEXT_OR_BRACKET = /["[\]{}]/g;
const WHITESPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/** The keys seen so far in an object; `undefined` for an array, and outside of all. */
type OpenContainer = Set<string> | undefined;

/**
 * Reads JSON (RFC 8259) from an untrusted sender. Beyond `JSON.parse` it refuses what two readers could take
 * differently: duplicate keys, and keys that JavaScript treats specially; and bounds the depth to 64.
 * Throws MalformedError: JSON_MALFORMED, JSON_TOO_DEEP, JSON_DUPLICATE_KEY, JSON_FORBIDDEN_KEY.
 */
export function parseJson(text: string): unknown {
  checkStructure(text);
  return parse(text);
}

/**
 * As parseJson, with integers beyond ±2^53 as bigint, since evidence is signed over their exact values; and bounds the number
 * of values, since evidence comes from anybody. Throws MalformedError JSON_TOO_LARGE too.
 */
export function parseJsonWithBigInts(text: string): unknown {
  requireFewValues(text);
  checkStructure(text, MAX_MEMBERS);
  if (!LONG_NUMBER.test(text)) return parse(text);
  return parse(text, exactIntegers());
}

function parse(text: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(text, reviver) as unknown;
  } catch (cause) {
    if (cause instanceof MalformedError) throw cause;
    throw malformed('JSON_MALFORMED', `expected JSON, got ${text.length} characters that are not`, { cause });
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

function exactIntegers(): Reviver {
  let count = 0;
  return (_key, value, context) => {
    const source = context?.source;
    if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
    if (!INTEGER.test(source)) return value;
    if (source.length > MAX_EXACT_DIGITS || ++count > MAX_EXACT_INTEGERS) {
      throw malformed(
        'JSON_TOO_LARGE',
        `expected at most ${MAX_EXACT_INTEGERS} integers beyond 2^53, of at most ${MAX_EXACT_DIGITS} digits, got more`,
      );
    }
    return BigInt(source);
  };
}

/** Every value but the first in its container has a comma in front. Those in texts count too, which only makes it stricter. */
function requireFewValues(text: string): void {
  if (text.length <= MAX_COMMAS) return;
  let count = 0;
  for (let comma = text.indexOf(','); comma !== -1; comma = text.indexOf(',', comma + 1)) {
    if (++count <= MAX_COMMAS) continue;
    throw malformed('JSON_TOO_LARGE', `expected at most ${MAX_COMMAS} commas in JSON, got more`);
  }
}

/**
 * One pass over texts and brackets, without recursion: depth, and the keys of each object. It trusts nothing else;
 * whether the text is JSON at all is decided by JSON.parse afterwards. Texts, arrays and objects count as members.
 */
function checkStructure(text: string, maxMembers = Number.POSITIVE_INFINITY): void {
  let members = 0;
  const outer: OpenContainer[] = [];
  let inner: OpenContainer;
  // Numbers, and what is between them, are passed over by the regular expression, which is faster than a loop here.
  TEXT_OR_BRACKET.lastIndex = 0;
  while (TEXT_OR_BRACKET.test(text)) {
    const index = TEXT_OR_BRACKET.lastIndex - 1;
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      const end = endOfString(text, index);
      if (inner !== undefined && isKey(text, end)) addKey(inner, text, index, end);
      TEXT_OR_BRACKET.lastIndex = end + 1;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      enter(outer, inner);
      inner = code === OPEN_BRACE ? new Set() : undefined;
    } else {
      inner = outer.pop();
      continue;
    }
    if (++members > maxMembers) {
      throw malformed('JSON_TOO_LARGE', `expected at most ${maxMembers} texts, arrays and objects, got more`);
    }
  }
}

/** Of the texts in an object, keys are those that a colon follows. */
function isKey(text: string, end: number): boolean {
  let next = end + 1;
  while (WHITESPACE.has(text.charCodeAt(next))) next++;
  return text.charCodeAt(next) === COLON;
}

function enter(outer: OpenContainer[], inner: OpenContainer): void {
  if (outer.length === MAX_DEPTH) {
    throw malformed('JSON_TOO_DEEP', `expected at most ${MAX_DEPTH} levels of JSON, got more`);
  }
  outer.push(inner);
}

/** The index of the closing quote, or of the last character when there is none (JSON.parse then refuses). */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length - 1 : end;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

function addKey(keys: Set<string>, text: string, start: number, end: number): void {
  const name = text.slice(start + 1, end);
  const key = name.includes('\\') ? unescape(text.slice(start, end + 1)) : name;
  if (FORBIDDEN_KEYS.has(key))
    throw malformed('JSON_FORBIDDEN_KEY', `expected no JSON member named '${key}'`);
  if (keys.has(key)) {
    throw malformed('JSON_DUPLICATE_KEY', `expected each JSON member once, got '${key.slice(0, 64)}' twice`);
  }
  keys.add(key);
}

/** Two spellings of one key (`"a"`, `"\u0061"`) are the same key. */
function unescape(quoted: string): string {
  const value = parse(quoted);
  return typeof value === 'string' ? value : quoted;
}

function malformed(code: MalformedCode, message: string, options?: ErrorOptions): MalformedError {
  return new MalformedError(code, message, options);
}
