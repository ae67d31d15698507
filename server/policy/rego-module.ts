import { z } from 'zod';

/** What we need to know of a policy's syntax tree, as `opa parse --format json` prints it. */
export interface RegoModule {
  /** Segments below `data`, e.g. `['policy']`. */
  readonly package: readonly string[];
  /** Names of the rules that are documents; functions are not, `a.b := 1` and `a contains 1` count as `a`. */
  readonly rules: ReadonlySet<string>;
  /** Names that follow `data.reference` literally: the reference values that older policies read. */
  readonly referenceNames: readonly string[];
  /** Whether `data.reference` also occurs with a name that is computed, or without one. */
  readonly readsReferenceByComputedName: boolean;
}

const termSchema = z.object({ type: z.string(), value: z.unknown() });
type Term = z.infer<typeof termSchema>;

const moduleSchema = z.object({
  package: z.object({ path: z.array(termSchema) }),
  imports: z
    .array(z.object({ path: z.object({ value: z.array(termSchema) }), alias: z.string().optional() }))
    .default([]),
  rules: z
    .array(z.looseObject({ head: z.looseObject({ ref: z.array(termSchema), args: z.unknown().optional() }) }))
    .default([]),
});
type Module = z.infer<typeof moduleSchema>;

/** Throws ZodError when the tree is not OPA's. */
export function readRegoModule(tree: unknown): RegoModule {
  const module = moduleSchema.parse(tree);
  const names = pathsOf(module)
    .filter(readsReference)
    .map((path) => path[2]);
  return {
    package: module.package.path.slice(1).map(({ value }) => String(value)),
    rules: new Set(module.rules.filter(({ head }) => head.args === undefined).map(nameOf)),
    referenceNames: [...new Set(names.filter((name) => name !== undefined))].sort(),
    readsReferenceByComputedName: names.includes(undefined),
  };
}

function nameOf(rule: Module['rules'][number]): string {
  return String(rule.head.ref[0]?.value);
}

/** Where a term points to, from its root; `undefined` where a step is not a literal string. */
type Path = readonly (string | undefined)[];

function readsReference(path: Path): boolean {
  return path[0] === 'data' && path[1] === 'reference';
}

/** What the policy points to anywhere in its rules, and what it imports from below `data.reference`. */
function pathsOf(module: Module): readonly Path[] {
  const imported = importedPaths(module);
  const values = [...imported.values()].filter((path) => path.length > 2);
  return [...values, ...pointersOf(module.rules).map((pointer) => resolve(pointer, imported))];
}

/** What the policy's imports of data stand for, by the name that they have in it. */
function importedPaths(module: Module): ReadonlyMap<string, Path> {
  const named = module.imports.map(({ path, alias }) => {
    const imported = literalPath(path.value);
    return [alias ?? imported.at(-1) ?? '', imported] as const;
  });
  return new Map(named.filter(([, path]) => path[0] === 'data'));
}

function literalPath(terms: readonly Term[]): Path {
  return terms.map(({ type, value }, index) =>
    (type === 'string' || (index === 0 && type === 'var')) && typeof value === 'string' ? value : undefined,
  );
}

function resolve(pointer: readonly Term[], imported: ReadonlyMap<string, Path>): Path {
  const path = literalPath(pointer);
  const prefix = path[0] === undefined ? undefined : imported.get(path[0]);
  return prefix === undefined ? path : [...prefix, ...path.slice(1)];
}

/** Every reference and variable below a node. A loop, not recursion: the depth of the tree is the author's choice. */
function pointersOf(root: unknown): readonly (readonly Term[])[] {
  const pointers: (readonly Term[])[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    const pointer = pointerAt(node);
    if (pointer !== undefined) pointers.push(pointer);
    // The head of a reference is part of it; the steps after it may hold further ones.
    const inside: readonly unknown[] = pointer === undefined ? Object.values(node) : pointer.slice(1);
    for (const child of inside) open.push(child);
  }
  return pointers;
}

function pointerAt(node: object): readonly Term[] | undefined {
  if (!('type' in node) || (node.type !== 'ref' && node.type !== 'var')) return undefined;
  if (node.type === 'var') return [termSchema.parse(node)];
  return z.array(termSchema).parse('value' in node ? node.value : undefined);
}
