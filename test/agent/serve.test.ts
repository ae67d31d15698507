import { expect, it } from 'vitest';
import type { Role } from '../../agent/role.ts';
import { startRoles } from '../../agent/serve.ts';

const context = {
  clock: () => new Date(0),
  log: { warn: () => undefined, failure: () => undefined },
};

/** Roles that write down what happens to them. */
function roles(happened: string[], names: readonly string[], failing?: string): readonly Role[] {
  return names.map((name) => ({
    name,
    async start() {
      if (name === failing) throw new Error(name);
      happened.push(`start ${name}`);
      return {
        close: async (graceMilliseconds) => {
          happened.push(`close ${name} ${graceMilliseconds}`);
        },
      };
    },
  }));
}

it('roles start one after the other and close the other way round, once', async () => {
  const happened: string[] = [];
  const running = await startRoles(roles(happened, ['aa', 'cdh', 'rest']), context);
  await running.close(7);
  await running.close(7);
  expect(happened).toEqual([
    'start aa',
    'start cdh',
    'start rest',
    'close rest 7',
    'close cdh 7',
    'close aa 7',
  ]);
});

it('a role that does not start leaves none of the others', async () => {
  const happened: string[] = [];
  await expect(startRoles(roles(happened, ['aa', 'cdh', 'rest'], 'rest'), context)).rejects.toThrow('rest');
  expect(happened).toEqual(['start aa', 'start cdh', 'close cdh 0', 'close aa 0']);
});
