import { RE2JS } from 're2js';
import { AdminConfigurationError } from './admin-error.ts';

/** Lets a role use the endpoints whose whole path a pattern matches. */
export interface AccessRule {
  readonly role: string;
  /** RE2 syntax, from `^/` to `$`; for example `^/kbs/v0/resource/.+$`. */
  readonly allowedEndpoints: string;
}

/** Which of the roles may use the path, if any. */
export type AllowedRole = (roles: readonly string[], path: string) => string | undefined;

const MAX_PATTERN_LENGTH = 1024;

/**
 * Compiles the rules. Patterns match in linear time, whoever writes path or pattern. Throws AdminConfigurationError
 * ADMIN_ACL_INVALID for a pattern that is not anchored on both sides, in every branch.
 */
export function compileAcl(rules: readonly AccessRule[]): AllowedRole {
  const compiled = rules.map(({ role, allowedEndpoints }) => ({ role, pattern: compile(allowedEndpoints) }));
  return (roles, path) =>
    compiled.find(({ role, pattern }) => roles.includes(role) && pattern.testExact(path))?.role;
}

function compile(pattern: string): RE2JS {
  const isAnchored = pattern.startsWith('^/') && pattern.endsWith('$') && !pattern.endsWith('\\$');
  if (!isAnchored || pattern.length > MAX_PATTERN_LENGTH || hasOpenAlternation(pattern)) {
    throw invalid(pattern);
  }
  try {
    return RE2JS.compile(`^(?:${pattern})$`);
  } catch (cause) {
    throw invalid(pattern, cause);
  }
}

/** In `^/a|.*$` the anchors hold one branch each: an alternation has to stand in parentheses. */
function hasOpenAlternation(pattern: string): boolean {
  let depth = 0;
  const outside = pattern.replaceAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]/gs, '');
  for (const character of outside) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === '|' && depth === 0) return true;
  }
  return false;
}

function invalid(pattern: string, cause?: unknown): AdminConfigurationError {
  return new AdminConfigurationError(
    'ADMIN_ACL_INVALID',
    `expected an endpoint pattern from '^/' to '$' in RE2 syntax, alternatives in parentheses, got '${pattern.slice(0, 200)}'`,
    { cause },
  );
}
