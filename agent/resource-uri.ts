import { CodedError } from '../server/errors/coded-error.ts';

export type ResourceUriErrorCode =
  | 'RESOURCE_URI_MALFORMED'
  | 'RESOURCE_URI_SCHEME'
  | 'RESOURCE_URI_PLUGIN_MISSING'
  | 'RESOURCE_URI_PATH_REFUSED';

/** A text that names no resource. */
export class ResourceUriError extends CodedError<ResourceUriErrorCode> {}

/** `kbs[+plugin]://[host[:port]]/segment[/segment…][?query]`, taken apart and checked. */
export interface ResourceUri {
  /** `resource` when the scheme names none. */
  readonly plugin: string;
  /** `host[:port]` in lower case; empty: the default resource server. */
  readonly host: string;
  /** Decoded. None is empty, `.` or `..`, and none holds a slash or a control character. */
  readonly segments: readonly [string, ...string[]];
  /** In their order, decoded, each name once. */
  readonly query: readonly (readonly [name: string, value: string])[];
}

const MAX_LENGTH = 4096;
const MAX_SEGMENTS = 64;
const DEFAULT_PLUGIN = 'resource';
const SHAPE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/;
const PLUGIN = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** A name or an IPv4 address, or an IPv6 address in brackets; then a port. No user, no password. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
/** Also what a server that decodes twice would take for one of them. */
const UNSAFE = /[\p{Cc}/\\]|%[0-9A-Fa-f]{2}/u;

/**
 * Reads a resource URI. Not by the URL parser, which would resolve `..` away instead of refusing it.
 * Throws ResourceUriError.
 */
export function parseResourceUri(text: string): ResourceUri {
  const [, scheme, host, path, query] = isSane(text) ? (SHAPE.exec(text) ?? []) : [];
  if (scheme === undefined || host === undefined || path === undefined) {
    throw malformed('kbs[+plugin]://[host[:port]]/segment[/segment…][?query]');
  }
  return {
    plugin: pluginOf(scheme.toLowerCase()),
    host: parseHost(host.toLowerCase()),
    segments: parseSegments(path.slice(1)),
    query: parseQuery(query ?? ''),
  };
}

/** A resource of the default server by its bare path, `repository/type/tag` or `/repository/type/tag`. Throws ResourceUriError. */
export function resourceUriOfPath(path: string, plugin = DEFAULT_PLUGIN): ResourceUri {
  return parseResourceUri(`kbs+${plugin}:///${path.startsWith('/') ? path.slice(1) : path}`);
}

/** The one spelling of a URI: `kbs:` for the default plugin, whatever named it. */
export function formatResourceUri(uri: ResourceUri): string {
  const scheme = uri.plugin === DEFAULT_PLUGIN ? 'kbs' : `kbs+${uri.plugin}`;
  return `${scheme}://${uri.host}/${pathText(uri)}${queryText(uri)}`;
}

/** `kbs:` and `kbs+resource:` are the same, and so are two encodings of one path. */
export function isSameResource(left: ResourceUri, right: ResourceUri): boolean {
  return formatResourceUri(left) === formatResourceUri(right);
}

/** The request's target below `/kbs/v0/`: plugin, path and query, encoded. */
export function resourceTarget(uri: ResourceUri): string {
  return `${uri.plugin}/${pathText(uri)}${queryText(uri)}`;
}

function isSane(text: string): boolean {
  return text.length <= MAX_LENGTH && text.isWellFormed();
}

function pluginOf(scheme: string): string {
  if (scheme === 'kbs') return DEFAULT_PLUGIN;
  if (!scheme.startsWith('kbs+')) {
    throw new ResourceUriError(
      'RESOURCE_URI_SCHEME',
      `resource URI: scheme must be kbs or kbs+<plugin>, got '${scheme.slice(0, 32)}'`,
    );
  }
  const plugin = scheme.slice('kbs+'.length);
  if (plugin === '') {
    throw new ResourceUriError(
      'RESOURCE_URI_PLUGIN_MISSING',
      'resource URI: scheme kbs+ requires a plugin name, got none',
    );
  }
  if (!PLUGIN.test(plugin)) throw malformed("a plugin's name of letters, digits, '.', '_' and '-'");
  return plugin;
}

function parseHost(host: string): string {
  if (host !== '' && !HOST.test(host)) throw malformed('a host and perhaps a port');
  return host;
}

/** Decoded exactly once and then looked at, so that no encoding hides a way out of the path. */
function parseSegments(path: string): ResourceUri['segments'] {
  const parts = path.split('/');
  if (parts.length > MAX_SEGMENTS) throw malformed(`at most ${MAX_SEGMENTS} segments`);
  const [first, ...others] = parts.map((part) => decodeOnce(part));
  if (first === undefined || [first, ...others].some((segment) => !isName(segment))) {
    throw new ResourceUriError(
      'RESOURCE_URI_PATH_REFUSED',
      "resource URI: expected segments that are names, got one that is empty, '.', '..', or holds a slash, a control character or a further encoding",
    );
  }
  return [first, ...others];
}

function isName(segment: string): boolean {
  return segment !== '' && segment !== '.' && segment !== '..' && !UNSAFE.test(segment);
}

function parseQuery(query: string): ResourceUri['query'] {
  if (query === '') return [];
  const pairs = query.split('&').map((pair): readonly [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [decodeOnce(name.replaceAll('+', ' ')), decodeOnce(value.join('=').replaceAll('+', ' '))];
  });
  // Readers differ on which of two counts; the policy must not see another than the plugin.
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) {
    throw malformed('each query parameter once');
  }
  return pairs;
}

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw malformed('percent-encoded UTF-8', cause);
  }
}

function pathText({ segments }: ResourceUri): string {
  return segments.map((segment) => encodeURIComponent(segment)).join('/');
}

function queryText({ query }: ResourceUri): string {
  if (query.length === 0) return '';
  return `?${query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`;
}

function malformed(expected: string, cause?: unknown): ResourceUriError {
  return new ResourceUriError(
    'RESOURCE_URI_MALFORMED',
    `invalid kbs resource uri: expected ${expected}, got something else`,
    { cause },
  );
}
