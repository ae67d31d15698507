import type { z } from 'zod';
import type { ConfigProblem } from './config-error.ts';
import { type ConfigKey, type ConfigNode, configTree, descendants, isTable } from './config-tree.ts';
import { nearest } from './nearest.ts';

const MAX_SHOWN = 80;

/** What the schema found, in the words of the configuration: the key, what was expected there, and what came. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], root: unknown): readonly ConfigProblem[] {
  const problems = new Map<string, ConfigProblem>();
  for (const issue of issues) {
    for (const problem of issue.code === 'unrecognized_keys'
      ? unknownKeys(issue)
      : [wrongValue(issue, root)]) {
      problems.set(`${problem.where} ${problem.message}`, problem);
    }
  }
  return [...problems.values()];
}

/** A value as a message may show it: short, on one line, nothing that is secret. */
function shown(key: ConfigKey | undefined, value: unknown): string {
  if (value === undefined) return 'nothing';
  if (key?.note.secret !== undefined) return 'another value';
  if (value instanceof Date) return 'a date';
  const text = JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}` : inner,
  );
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** How a place is written: `kbs.issuers[0].jwks_url`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
}

/** Where one item of a list is wrong, the list is what the operator wrote and what is shown. */
function wrongValue(issue: z.core.$ZodIssue, root: unknown): ConfigProblem {
  const { node, path } = locate(issue.path);
  const where = placeOf(path);
  const value = path.reduce(member, root);
  if (node.kind === 'key') return { where, message: `expected ${node.expected}, got ${shown(node, value)}` };
  const expected =
    node.kind === 'tables' && path.at(-1) === node.name ? `[[${node.path}]] tables` : 'a table';
  const came = typeof value === 'object' ? 'something else' : shown(undefined, value);
  return { where, message: `expected ${expected}, got ${came}` };
}

function member(value: unknown, name: PropertyKey): unknown {
  if (Array.isArray(value)) return typeof name === 'number' ? (value as readonly unknown[])[name] : undefined;
  return isTable(value) ? value[String(name)] : undefined;
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys): readonly ConfigProblem[] {
  const { node, path } = locate(issue.path);
  const siblings = node.kind === 'key' ? [] : node.children.map((child) => child.name);
  return issue.keys.map((name) => {
    const suggestion = nearest(name, siblings) ?? elsewhere(name);
    const message = 'expected a known key, got one that is not';
    return {
      where: placeOf([...path, name]),
      message: suggestion === undefined ? message : `${message}; did you mean ${suggestion}?`,
    };
  });
}

/** A key that exists, but in another table. */
function elsewhere(name: string): string | undefined {
  return descendants(configTree).find((node) => node.name === name)?.path;
}

/** The key or table that a path leads to, without the places inside a key's own list. */
function locate(path: readonly PropertyKey[]): {
  readonly node: ConfigNode;
  readonly path: readonly PropertyKey[];
} {
  let node: ConfigNode = configTree;
  const walked: PropertyKey[] = [];
  for (const part of path) {
    if (node.kind === 'key') break;
    if (typeof part !== 'number') {
      const child: ConfigNode | undefined = node.children.find((candidate) => candidate.name === part);
      if (child === undefined) break;
      node = child;
    }
    walked.push(part);
  }
  return { node, path: walked };
}
