import { z } from 'zod';
import { type KeyNote, keyNotes } from './config-key.ts';
import { configSchema } from './config-schema.ts';

/** A key that holds a value. */
export interface ConfigKey {
  readonly kind: 'key';
  readonly name: string;
  /** From the root, as TOML writes it: `http.port`. */
  readonly path: string;
  readonly meaning: string;
  readonly note: KeyNote;
  /** What to write, in words: `a whole number from 0 to 65535`. */
  readonly expected: string;
  readonly isText: boolean;
}

/** `table`: `[http]`. `tables`: `[[kbs.issuers]]`, any number of them. */
export interface ConfigTable {
  readonly kind: 'table' | 'tables';
  readonly name: string;
  readonly path: string;
  readonly meaning: string;
  readonly children: readonly ConfigNode[];
}

export type ConfigNode = ConfigKey | ConfigTable;

const jsonTypeSchema = z.object({
  type: z.string().optional(),
  enum: z.array(z.union([z.string(), z.number()])).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});

/** The schema as a tree of names, read once. What lists, shows or changes keys walks this tree, never the schema. */
export const configTree: ConfigTable = tableOf(configSchema, 'table', [], '');

/** Every key and table below one, itself left out, in the order of the schema. */
export function descendants(table: ConfigTable): readonly ConfigNode[] {
  return table.children.flatMap((child) => (child.kind === 'key' ? [child] : [child, ...descendants(child)]));
}

/** The value with each key's value replaced; a key that is absent is given to `replace` as undefined. */
export function mapKeys(
  table: ConfigTable,
  value: Readonly<Record<string, unknown>>,
  replace: (key: ConfigKey, value: unknown) => unknown,
): Record<string, unknown> {
  const mapped: Record<string, unknown> = {};
  for (const child of table.children) {
    const next = mapNode(child, value[child.name], replace);
    if (next !== undefined) mapped[child.name] = next;
  }
  return mapped;
}

function mapNode(
  node: ConfigNode,
  value: unknown,
  replace: (key: ConfigKey, value: unknown) => unknown,
): unknown {
  if (node.kind === 'key') return replace(node, value);
  if (node.kind === 'table') return isTable(value) ? mapKeys(node, value, replace) : value;
  return Array.isArray(value)
    ? value.map((item: unknown) => (isTable(item) ? mapKeys(node, item, replace) : item))
    : value;
}

/** Whether a value that TOML gave is a table. Dates are objects too. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function tableOf(
  schema: z.ZodObject,
  kind: ConfigTable['kind'],
  path: readonly string[],
  meaning: string,
): ConfigTable {
  const children = Object.entries<z.core.$ZodType>(schema.shape).map(([name, field]) =>
    nodeOf(field, [...path, name]),
  );
  return { kind, name: path.at(-1) ?? '', path: path.join('.'), meaning, children };
}

function nodeOf(field: z.core.$ZodType, path: readonly string[]): ConfigNode {
  if (!(field instanceof z.ZodType)) throw new TypeError('expected a schema');
  const inner = unwrap(field);
  const meaning = field.description ?? '';
  if (inner instanceof z.ZodObject) return tableOf(inner, 'table', path, meaning);
  const element: unknown = inner instanceof z.ZodArray ? inner.element : undefined;
  if (element instanceof z.ZodObject) return tableOf(element, 'tables', path, meaning);
  const note = keyNotes.get(field) ?? {};
  const type = jsonTypeSchema.parse(z.toJSONSchema(inner));
  return {
    kind: 'key',
    name: path.at(-1) ?? '',
    path: path.join('.'),
    meaning,
    note,
    expected: note.expected ?? expectationOf(type),
    isText: type.type === 'string',
  };
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema;
}

function expectationOf(type: z.output<typeof jsonTypeSchema>): string {
  if (type.enum !== undefined) return `one of ${type.enum.map((one) => JSON.stringify(one)).join(', ')}`;
  if (type.type === 'boolean') return 'true or false';
  if (type.type === 'array') return 'a list of texts';
  if (type.type !== 'integer') return 'a text that is not empty';
  return `a whole number from ${type.minimum ?? 0} to ${type.maximum ?? Number.MAX_SAFE_INTEGER}`;
}
