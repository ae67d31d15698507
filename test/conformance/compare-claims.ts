import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../server/claims/claims.ts';

/** Lines that say which expected claims are not there or differ; empty when all agree. */
export function compareClaims(
  annotated: Readonly<Record<string, Json>>,
  tee: string,
  expected: Readonly<Record<string, unknown>>,
): readonly string[] {
  const own = annotated[tee];
  return Object.entries(expected).flatMap(([path, value]) => {
    const beside = path === 'report_data' || path === 'init_data';
    const actual = lookUp(beside ? annotated : own, path);
    if (isDeepStrictEqual(actual, value)) return [];
    return [`claim ${path}: expected ${show(value)}, got ${show(actual)}`];
  });
}

/** Splits at the dots from the left, but a member whose own name holds the rest of the path is meant first. */
function lookUp(value: unknown, path: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  const members = value as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, path)) return members[path];
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const head = path.slice(0, dot);
    if (!Object.hasOwn(members, head)) continue;
    const found = lookUp(members[head], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 120);
}
