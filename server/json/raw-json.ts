import { MalformedError } from '../errors/malformed-error.ts';
import { parseJson } from './strict-json.ts';

const WHITESPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const DEPTH_CHANGE = new Map([
  ['{', 1],
  ['[', 1],
  ['}', -1],
  [']', -1],
]);

/**
 * The text of each member's value exactly as it stands in a JSON object, by the member's name: what a signature over
 * a member covers. Throws MalformedError as parseJson; JSON_MALFORMED where the text is not an object.
 */
export function rawMembers(text: string): ReadonlyMap<string, string> {
  requireContainer(text, OPEN_BRACE, 'object');
  const members = new Map<string, string>();
  for (const part of splitContainer(text)) {
    const nameEnd = endOfString(part, 0);
    const name = JSON.parse(part.slice(0, nameEnd + 1)) as string;
    members.set(name, part.slice(part.indexOf(':', nameEnd) + 1).trim());
  }
  return members;
}

/** As rawMembers, for the elements of a JSON array. */
export function rawElements(text: string): readonly string[] {
  requireContainer(text, OPEN_BRACKET, 'array');
  return splitContainer(text);
}

/** The same JSON without the whitespace between its tokens; every token stays as it was written. Throws as parseJson. */
export function compactJson(text: string): string {
  parseJson(text);
  const kept: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = endOfString(text, index);
    if (!WHITESPACE.has(code)) continue;
    kept.push(text.slice(start, index));
    start = index + 1;
  }
  kept.push(text.slice(start));
  return kept.join('');
}

function requireContainer(text: string, opening: number, what: string): void {
  parseJson(text);
  if (text.trimStart().charCodeAt(0) !== opening) {
    throw new MalformedError('JSON_MALFORMED', `expected a JSON ${what}, got another value`);
  }
}

/** The parts between the commas of the outermost container, of a text that is known to be JSON. */
function splitContainer(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = text.search(/[[{]/) + 1;
  for (let index = start - 1; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '"') index = endOfString(text, index);
    depth += DEPTH_CHANGE.get(character) ?? 0;
    if (depth > 1 || (depth === 1 && character !== ',')) continue;
    parts.push(text.slice(start, index).trim());
    start = index + 1;
  }
  return parts.filter((part) => part !== '');
}

/** The index of the quote that closes the string which opens at `start`, of a text that is known to be JSON. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text.charCodeAt(index) !== QUOTE) {
    index += text.charCodeAt(index) === BACKSLASH ? 2 : 1;
  }
  return index;
}
