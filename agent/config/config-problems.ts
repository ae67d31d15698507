import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import type { ConfigProblem } from './config-error.ts';

const MAX_SHOWN = 80;

/** What the schema found, in the words of the configuration: the key, what was expected there, and what came. */
export function problemsOf(error: z.ZodError, schema: z.ZodType, root: unknown): readonly ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey([...issue.path, key], schema));
    }
    const value = issue.path.reduce(memberOf, root);
    if (isStrayKey(issue.path, schema) && !isTable(value)) return [unknownKey(issue.path, schema)];
    return [{ where: placeOf(issue.path), message: `expected ${issue.message}, got ${shown(value)}` }];
  });
}

/** Whether a value that TOML gave is a table. Dates are objects too. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Where tables of any name may stand, a key that is none and has no name of ours was misspelt. */
function isStrayKey(path: readonly PropertyKey[], schema: z.ZodType): boolean {
  const parent = schemaAt(schema, path.slice(0, -1));
  const name = path.at(-1);
  return (
    parent instanceof z.ZodObject &&
    parent.def.catchall instanceof z.ZodObject &&
    typeof name === 'string' &&
    !Object.hasOwn(parent.shape, name)
  );
}

function unknownKey(path: readonly PropertyKey[], schema: z.ZodType): ConfigProblem {
  const parent = schemaAt(schema, path.slice(0, -1));
  const siblings = parent instanceof z.ZodObject ? Object.keys(parent.shape) : [];
  const meant = nearest(String(path.at(-1)), siblings);
  const message = 'expected a known key, got one that is not';
  return {
    where: placeOf(path),
    message: meant === undefined ? message : `${message}; did you mean ${meant}?`,
  };
}

/** The candidate that was probably meant: two letters differ, or a third of a long word. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const candidate = closest(word, candidates);
  const length = Math.max(word.length, candidate.length);
  return distance(word, candidate) <= Math.max(2, length / 3) ? candidate : undefined;
}

function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, part) => {
    if (inner instanceof z.ZodArray) return unwrap(inner.element);
    if (!(inner instanceof z.ZodObject)) return undefined;
    const shape = inner.shape as Readonly<Record<PropertyKey, unknown>>;
    return unwrap(Object.hasOwn(shape, part) ? shape[part] : inner.def.catchall);
  }, unwrap(schema));
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
    ? unwrap(schema.unwrap())
    : schema;
}

function memberOf(value: unknown, name: PropertyKey): unknown {
  if (Array.isArray(value)) return typeof name === 'number' ? (value as readonly unknown[])[name] : undefined;
  return isTable(value) && Object.hasOwn(value, name) ? value[String(name)] : undefined;
}

/** How a place is written: `resource_servers[0].url`. */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
  return place === '' ? 'the whole' : place;
}

/** Short and on one line; certificates and URLs with passwords do not fit into it. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string' && value.length > MAX_SHOWN) return `${value.length} characters`;
  if (Array.isArray(value)) return 'another list';
  if (typeof value === 'object') return 'something else';
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
