import { describe, expect, it } from 'vitest';
import { createStatementNames } from '../../../server/storage/statement-names.ts';

describe('createStatementNames', () => {
  it('names a text always alike and two texts differently', () => {
    const names = createStatementNames();
    const first = names.nameOf('select 1');
    expect(first).toBeDefined();
    expect(names.nameOf('select 2')).not.toBe(first);
    expect(names.nameOf('select 1')).toBe(first);
  });

  it.each(['begin', 'commit', 'ROLLBACK', 'savepoint x', `select '${'x'.repeat(2_000)}'`])(
    'does not name %.20s',
    (text) => {
      expect(createStatementNames().nameOf(text)).toBeUndefined();
    },
  );

  it('names no more than 200', () => {
    const names = createStatementNames();
    const given = Array.from({ length: 500 }, (_, index) => names.nameOf(`select ${index}`));
    expect(given.filter((name) => name !== undefined)).toHaveLength(200);
    expect(names.nameOf('select 0')).toBe(given[0]);
  });
});
