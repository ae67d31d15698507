import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { CodedError } from '../../server/errors/coded-error.ts';

export type HubConfigErrorCode = 'CONFIG_NOT_TOML' | 'CONFIG_NOT_JSON' | 'CONFIG_INVALID';

/** The hub's configuration cannot be used. Lists every problem, so that one round of editing is enough. */
export class HubConfigError extends CodedError<HubConfigErrorCode> {
  readonly problems: readonly string[];

  constructor(code: HubConfigErrorCode, problems: readonly string[]) {
    super(code, problems.join('\n'));
    this.problems = problems;
  }
}

/** What a schema has found: `where: what`, never with a value that came. */
export function problemsOf(error: z.ZodError, schema: z.ZodType): readonly string[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey([...issue.path, key], namesAt(schema, issue.path)))
      : [`${placeOf(issue.path)}: ${issue.message}`],
  );
}

function unknownKey(path: readonly PropertyKey[], siblings: readonly string[]): string {
  const name = String(path.at(-1));
  const meant = siblings.length === 0 ? undefined : closest(name, siblings);
  const isNear = meant !== undefined && distance(name, meant) <= Math.max(2, meant.length / 3);
  return `${placeOf(path)}: expected a known key, got one that is not${isNear ? `; did you mean ${meant}?` : ''}`;
}

/** How a place is written: `credentials[0].path`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
}

function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let table: unknown = withoutDefault(schema);
  for (const part of path) {
    if (table instanceof z.ZodArray) table = table.element;
    else if (table instanceof z.ZodObject) table = (table.shape as Record<PropertyKey, unknown>)[part];
    table = withoutDefault(table);
  }
  return table instanceof z.ZodObject ? Object.keys(table.shape) : [];
}

function withoutDefault(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap();
  }
  return inner;
}
