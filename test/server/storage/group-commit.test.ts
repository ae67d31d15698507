import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { createGroupCommit } from '../../../server/storage/group-commit.ts';

/** A store that remembers its batches and refuses the row `bad`. */
function slowStore(options: { maxWaiting?: number; maxBatch?: number; failWith?: Error } = {}) {
  const batches: string[][] = [];
  const commit = createGroupCommit<string, string>({
    write: async (rows) => {
      await wait(5);
      if (options.failWith !== undefined) throw options.failWith;
      if (rows.includes('bad')) throw new Error('refused');
      batches.push([...rows]);
      return rows.map((row) => row.toUpperCase());
    },
    maxWaiting: options.maxWaiting ?? 100,
    maxBatch: options.maxBatch ?? 100,
  });
  return { commit, batches };
}

describe('createGroupCommit', () => {
  it('gives each caller its own result and writes concurrent rows together', async () => {
    const { commit, batches } = slowStore();
    const first = commit.submit('a');
    await wait(1);
    const others = Promise.all(['b', 'c', 'd'].map(async (row) => await commit.submit(row)));
    expect(await first).toBe('A');
    expect(await others).toEqual(['B', 'C', 'D']);
    expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
  });

  it('bounds a batch', async () => {
    const { commit, batches } = slowStore({ maxBatch: 2 });
    await Promise.all(['a', 'b', 'c'].map(async (row) => await commit.submit(row)));
    expect(batches).toEqual([['a', 'b'], ['c']]);
  });

  it('fails the row that is refused and no other', async () => {
    const { commit } = slowStore();
    const results = await Promise.allSettled(['a', 'bad', 'c'].map(async (row) => await commit.submit(row)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('fails all at once when the store is gone', async () => {
    const { commit } = slowStore({ failWith: new CouldNotCheckError('STORAGE_UNAVAILABLE', 'gone') });
    const results = await Promise.allSettled(['a', 'b'].map(async (row) => await commit.submit(row)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('refuses rows beyond its bound', async () => {
    const { commit } = slowStore({ maxWaiting: 1 });
    const kept = commit.submit('a');
    await expect(commit.submit('b')).rejects.toMatchObject({ code: 'OVERLOADED' });
    await kept;
  });

  it('writes what was submitted before it closes, and refuses what comes later', async () => {
    const { commit, batches } = slowStore();
    const kept = commit.submit('a');
    await commit.close();
    expect(batches).toEqual([['a']]);
    await kept;
    await expect(commit.submit('b')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});
