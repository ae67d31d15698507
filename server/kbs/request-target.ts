import { KbsError } from './kbs-error.ts';

/** Where a request goes: the same value is authorised, shown to the policy, read and recorded. */
export interface KbsTarget {
  /** The whole decoded path, without the query. */
  readonly path: string;
  /** The first segment after `/kbs/v0/`. */
  readonly plugin: string;
  /** The segments after it; empty ones are kept, but for leading ones. */
  readonly segments: readonly string[];
}

const PREFIX = '/kbs/v0/';
const MAX_QUERY_PARAMETERS = 64;
const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Reads the path of a request target as it came. It is decoded completely, `%2F` too, exactly once, and split only then.
 * Leading empty segments after the plugin's name are dropped: some guest components write two slashes there.
 * Throws KbsError REQUEST_PATH_MALFORMED.
 */
export function parseTarget(target: string): KbsTarget {
  const decoded = decode(target.split('?', 1)[0] ?? '');
  if (!decoded.startsWith(PREFIX) || CONTROL_CHARACTER.test(decoded)) throw malformed();
  const [plugin = '', ...rest] = decoded.slice(PREFIX.length).split('/');
  const start = rest.findIndex((segment) => segment !== '');
  const segments = start === -1 ? [] : rest.slice(start);
  return { path: PREFIX + [plugin, ...segments].join('/'), plugin, segments };
}

/** The query's parameters by name. Throws KbsError QUERY_MALFORMED when one comes twice: readers differ on which counts. */
export function parseQuery(target: string): Readonly<Record<string, string>> {
  const start = target.indexOf('?');
  const parameters = start === -1 ? [] : [...new URLSearchParams(target.slice(start + 1))];
  const query = new Map(parameters);
  if (parameters.length > MAX_QUERY_PARAMETERS || query.size !== parameters.length) {
    throw new KbsError(
      'QUERY_MALFORMED',
      `expected at most ${MAX_QUERY_PARAMETERS} query parameters, each once, got more`,
    );
  }
  return Object.fromEntries(query);
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    if (cause instanceof URIError) throw malformed();
    throw cause;
  }
}

function malformed(): KbsError {
  return new KbsError(
    'REQUEST_PATH_MALFORMED',
    'expected a path below /kbs/v0/ in UTF-8 without control characters, got another',
  );
}

/** The decoded path of a request's target: what an administrator's rules are matched with. */
export function targetPath(request: { readonly raw: { readonly url?: string | undefined } }): string {
  return parseTarget(request.raw.url ?? '').path;
}
