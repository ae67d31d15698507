import { describe, expect, it } from 'vitest';
import type { Changes } from '../../../server/storage/changes.ts';
import { createRowCache, type RowCache } from '../../../server/storage/row-cache.ts';

interface Row {
  readonly text: string;
}

/** A cache over a table of one row, and the change feed in our hand. */
function setUp(maxBytes = 10_000): {
  readonly cache: RowCache<Row>;
  readonly table: { row: Row | undefined; reads: number };
  readonly announce: () => void;
  readonly find: (key?: string) => Promise<string | undefined>;
} {
  let listener = (): void => undefined;
  const changes: Changes = {
    announce: async () => undefined,
    on: (_topic, heard) => {
      listener = heard;
    },
  };
  const cache = createRowCache<Row>(changes, {
    topic: 'resource',
    maxBytes,
    sizeOf: ({ text }) => text.length,
  });
  const table = { row: { text: 'one' } as Row | undefined, reads: 0 };
  const load = async (): Promise<Row | undefined> => {
    table.reads++;
    return table.row;
  };
  return {
    cache,
    table,
    announce: () => {
      listener();
    },
    find: async (key = 'a') => (await cache.find(key, load))?.text,
  };
}

describe('the row cache', () => {
  it('reads a row once', async () => {
    const { table, find } = setUp();
    expect([await find(), await find(), table.reads]).toEqual(['one', 'one', 1]);
  });

  it.each(['the news', 'the writer'] as const)('reads it again after %s', async (who) => {
    const { cache, table, announce, find } = setUp();
    await find();
    table.row = { text: 'two' };
    if (who === 'the news') announce();
    else cache.forget(['a']);
    expect(await find()).toBe('two');
  });

  it('remembers that there is none, until the news', async () => {
    const { table, announce, find } = setUp();
    table.row = undefined;
    expect([await find(), await find(), table.reads]).toEqual([undefined, undefined, 1]);
    table.row = { text: 'new' };
    announce();
    expect(await find()).toBe('new');
  });

  it('does not keep what was read before the news and came after it', async () => {
    const { cache, announce, find, table } = setUp();
    const late = cache.find('a', async () => {
      announce();
      return { text: 'old' };
    });
    expect((await late)?.text).toBe('old');
    table.row = { text: 'new' };
    expect(await find()).toBe('new');
  });

  it('keeps no more bytes than it may', async () => {
    const { table, find } = setUp(1000);
    table.row = { text: 'x'.repeat(600) };
    for (const key of ['a', 'b', 'a']) await find(key);
    expect(table.reads).toBe(3);
    table.row = { text: 'x'.repeat(2000) }; // more than all of it: served, not kept
    expect([(await find('c'))?.length, (await find('c'))?.length, table.reads]).toEqual([2000, 2000, 5]);
  });
});
