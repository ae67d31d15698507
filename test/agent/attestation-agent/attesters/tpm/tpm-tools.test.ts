import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createTpmTools,
  type TpmTools,
} from '../../../../../agent/attestation-agent/attesters/tpm/tpm-tools.ts';

let folder: string;
let tools: TpmTools;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-tools-'));
  tools = createTpmTools({
    tcti: 'none',
    searchPath: `${folder}:/usr/bin:/bin`,
    folder,
    deadlineMilliseconds: 1_000,
  });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A tool of our own in the place of one of tpm2-tools. */
async function installTool(script: string): Promise<void> {
  await writeFile(join(folder, 'tpm2_test'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'tpm2_test'), 0o700);
}

describe('createTpmTools', () => {
  it('gives words to the tool as they are, without a shell', async () => {
    await installTool('printf "%s|" "$@" > out; printf "%s" "$TPM2TOOLS_TCTI" >> out');
    const seen = await tools.task(async (task) => {
      await task.output('out');
      await task.run('test', '$(id)', 'a b', ';', '*');
      return Buffer.from(await task.read('out')).toString();
    });
    expect(seen).toBe('$(id)|a b|;|*|none');
  });

  it('shows its files to nobody else, and removes them', async () => {
    await installTool('cp in out');
    await tools.task(async (task) => {
      await task.write('in', Buffer.from('in'));
      await task.run('test', await task.output('out'));
      const [name = ''] = (await readdir(folder)).filter((each) => each.startsWith('verigo-tpm-'));
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o700);
      for (const file of ['in', 'out'])
        expect((await stat(join(folder, name, file))).mode & 0o777).toBe(0o600);
    });
    expect(await readdir(folder)).toEqual(['tpm2_test']);
  });

  it('removes them when the task fails, and serves the next', async () => {
    const failure = new Error('the task fails');
    await expect(tools.task(async () => await Promise.reject(failure))).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
    expect(await tools.task(async () => 'next')).toBe('next');
  });

  it.each([
    ['a tool that is not installed', '', 'TPM_TOOLS_UNAVAILABLE', 'tpm2-tools'],
    ['a tool that fails', 'echo "ERROR: Esys(0x9A2) in /a/secret/path" >&2; exit 1', 'TPM_FAILED', '0x9A2'],
    ['a tool that says nothing', 'exit 3', 'TPM_FAILED', 'no response code'],
    ['a tool that does not end', 'exec sleep 30', 'TPM_DEADLINE_EXCEEDED', 'in time'],
  ])('refuses %s', async (_what, script, code, words) => {
    if (script !== '') await installTool(script);
    const task = tools.task(async (task) => {
      await task.run('test');
    });
    await expect(task).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
    await expect(task).rejects.not.toMatchObject({ message: expect.stringContaining('path') as string });
  });

  it('does one task after the other', async () => {
    let running = 0;
    const most = await Promise.all(
      [1, 2, 3].map(
        async () =>
          await tools.task(async () => {
            const now = ++running;
            await new Promise((resolve) => setTimeout(resolve, 5));
            running--;
            return now;
          }),
      ),
    );
    expect(most).toEqual([1, 1, 1]);
  });

  it('says that there is no folder in memory', async () => {
    const nowhere = createTpmTools({ tcti: 'none', folder: join(folder, 'nowhere') });
    await expect(nowhere.task(async () => 1)).rejects.toMatchObject({ code: 'TPM_FAILED' });
  });
});
