import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** Packages that run in browsers; each was looked at. */
const PORTABLE_PACKAGES = ['canonicalize', 'cockatiel', 'jose/base64url', 'zod'];
/** Imports and re-exports that are there when the program runs: not those of types. */
const IMPORT = /^(?:import|export)\s(?!type\s)(?:[^;]*?\sfrom\s)?'([^']+)'/gm;
const DYNAMIC_IMPORT = /\bimport\(/;
const NODE_GLOBAL = /\b(?:Buffer|process|require|__dirname|setImmediate)\b/;

interface Graph {
  readonly files: ReadonlyMap<string, string>;
  readonly packages: ReadonlySet<string>;
}

/** Every file of ours that loading the entry loads, with its text, and every package. */
function graphOf(entry: string): Graph {
  const files = new Map<string, string>();
  const packages = new Set<string>();
  const left = [join(ROOT, entry)];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (files.has(file)) continue;
    const text = readFileSync(file, 'utf8');
    files.set(file, text);
    for (const [, specifier = ''] of text.matchAll(IMPORT)) {
      if (specifier.startsWith('.')) left.push(join(dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

test('the client needs nothing of Node: it runs in browsers and edge runtimes', () => {
  const { files, packages } = graphOf('agent/client.ts');
  expect(files.size).toBeGreaterThan(15);
  expect([...packages].toSorted()).toEqual(PORTABLE_PACKAGES);
  const withoutComments = [...files].map(
    ([file, text]) => [relative(ROOT, file), text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')] as const,
  );
  for (const [file, text] of withoutComments) {
    expect(NODE_GLOBAL.exec(text)?.[0], file).toBeUndefined();
    expect(DYNAMIC_IMPORT.test(text), file).toBe(false);
  }
});

test('the walk would see a module of Node', () => {
  expect(graphOf('agent/http/tls-exchange.ts').packages).toContain('node:crypto');
});
