import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PolicyKind } from './policy.ts';
import type { PolicyStore } from './policy-store.ts';

/** Whose versions they are in the record. */
const AUTHOR = 'verigo';
const KINDS: readonly PolicyKind[] = ['attestation', 'resource'];

/**
 * Puts the policies of a folder in force where none of that name is: `<kind>/<name>/<name>.rego`. The database's own stay.
 * Resolves to the names of those that were set. Throws PolicyError, e.g. when one has to be compiled and there is no OPA.
 */
export async function seedPolicies(
  store: Pick<PolicyStore, 'list' | 'setIfAbsent'>,
  folder: string,
): Promise<readonly string[]> {
  const present = new Set((await store.list()).map(({ kind, name }) => `${kind}/${name}`));
  const seeded: string[] = [];
  for (const kind of KINDS) {
    for (const name of await folderNames(join(folder, kind))) {
      if (present.has(`${kind}/${name}`)) continue;
      const source = await readFile(join(folder, kind, name, `${name}.rego`), 'utf8');
      if (await store.setIfAbsent({ kind, name, source, author: AUTHOR, mode: 'strict' })) {
        seeded.push(`${kind}/${name}`);
      }
    }
  }
  return seeded;
}

async function folderNames(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
