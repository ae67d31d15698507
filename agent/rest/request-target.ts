import { RestError } from './rest-error.ts';

/** Where a request goes: the path as it came, percent-encoded, and the query. */
export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
}

const MAX_LENGTH = 8192;

/** Only the form `/path?query` (RFC 9112, section 3.2.1). Throws RestError TARGET_MALFORMED, TARGET_TOO_LONG. */
export function parseTarget(target: string): RequestTarget {
  if (target.length > MAX_LENGTH) {
    throw new RestError('TARGET_TOO_LONG', `expected at most ${MAX_LENGTH} characters, got ${target.length}`);
  }
  if (!target.startsWith('/') || target.includes('#')) {
    throw new RestError('TARGET_MALFORMED', 'expected a target that is a path and a query, got another');
  }
  const start = target.indexOf('?');
  return start === -1
    ? { path: target, query: '' }
    : { path: target.slice(0, start), query: target.slice(start + 1) };
}

/**
 * Reads the parameters that a route has, and no others. Each at most once: readers differ on which of two counts.
 * Throws RestError PARAMETER_MALFORMED.
 */
export function readParameters<Name extends string>(
  query: string,
  names: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const found: Partial<Record<Name, string>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const known = names.find((candidate) => candidate === name);
    if (known === undefined || found[known] !== undefined) {
      throw new RestError(
        'PARAMETER_MALFORMED',
        `expected each of ${names.join(', ')} at most once, got another`,
      );
    }
    found[known] = value;
  }
  return found;
}

/** Throws RestError PARAMETER_MALFORMED where it is not there, or empty. */
export function required(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value;
  throw new RestError('PARAMETER_MALFORMED', `expected the parameter ${name}, got none`);
}
