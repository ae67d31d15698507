import { fromHex, fromUtf8, toBase64Url, toHex, toUtf8 } from '../../bytes/encoding.ts';
import { MalformedError } from '../../errors/malformed-error.ts';
import { type HostBuiltins, onText } from './host-builtin.ts';

/** Encodings that OPA's WebAssembly target lacks. Bytes that are not UTF-8 have no text: undefined. */
export const encodingBuiltins: HostBuiltins = {
  'hex.encode': onText((text) => toHex(toUtf8(text))),
  'hex.decode': onText((text) => orUndefined(() => fromUtf8(fromHex(text)))),
  'base64url.encode_no_pad': onText((text) => toBase64Url(toUtf8(text))),
  'urlquery.encode': onText(escapeQuery),
  'urlquery.decode': onText(unescapeQuery),
  'urlquery.decode_object': onText(decodeObject),
};

function orUndefined<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** As Go's url.QueryEscape: all but `A-Za-z0-9-_.~` is escaped, a space becomes `+`. */
function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function unescapeQuery(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined; // a `%` without two hex digits, or bytes that are not UTF-8
  }
}

function decodeObject(text: string): Readonly<Record<string, readonly string[]>> | undefined {
  const members = new Map<string, string[]>();
  for (const pair of text.split('&').filter((part) => part !== '')) {
    if (pair.includes(';')) return undefined; // Go refuses semicolons as separators
    const separator = pair.indexOf('=');
    const name = unescapeQuery(separator === -1 ? pair : pair.slice(0, separator));
    const value = unescapeQuery(separator === -1 ? '' : pair.slice(separator + 1));
    if (name === undefined || value === undefined) return undefined;
    const values = members.get(name);
    if (values === undefined) members.set(name, [value]);
    else values.push(value);
  }
  return Object.fromEntries(members);
}
