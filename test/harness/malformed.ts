import type { Json, JsonObject } from '../../server/claims/claims.ts';

/** The way to one member of a document: names, and `0` for the first of a list. */
export type MemberPath = readonly string[];

/** The way to every member of a document, at every level. */
export function membersOf(document: Json, path: MemberPath = []): readonly MemberPath[] {
  if (document === null || typeof document !== 'object') return [];
  return Object.entries(document).flatMap(([name, member]) => [
    [...path, name],
    ...membersOf(member, [...path, name]),
  ]);
}

/** The document with another value at that place; undefined takes the member away. */
export function withMember(document: Json, path: MemberPath, value: Json | undefined): Json {
  const [name, ...rest] = path;
  if (name === undefined) return value ?? null;
  if (Array.isArray(document)) {
    const items = document as readonly Json[];
    const index = Number(name);
    if (rest.length === 0 && value === undefined) return items.toSpliced(index, 1);
    return items.with(index, withMember(items[index] ?? null, rest, value));
  }
  const { [name]: member, ...others } = document as JsonObject;
  if (rest.length === 0 && value === undefined) return others;
  return { ...others, [name]: withMember(member ?? null, rest, value) };
}
