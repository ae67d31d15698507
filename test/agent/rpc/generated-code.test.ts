import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const CHECKED_IN = join(ROOT, 'agent/rpc/gen');

it('is what `npm run generate` makes of the proto files', async () => {
  const fresh = await mkdtemp(join(tmpdir(), 'verigo-generated-'));
  try {
    await promisify(execFile)('npm', ['run', 'generate', '--', '-o', fresh], { cwd: ROOT });

    expect(await filesOf(CHECKED_IN)).toEqual(await filesOf(fresh));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
});

async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}
