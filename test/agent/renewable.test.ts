import { describe, expect, test } from 'vitest';
import { createRenewable, type Renewable } from '../../agent/renewable.ts';

const START = Date.parse('2026-11-24T10:00:00Z');

interface Bench {
  readonly get: Renewable<number>;
  readonly asked: () => number;
  now: number;
  fails: boolean;
}

/** Values 1, 2, 3, … that hold for a minute each. */
function bench(): Bench {
  let asked = 0;
  const state: Bench = {
    now: START,
    fails: false,
    asked: () => asked,
    get: createRenewable({
      async obtain() {
        asked++;
        await Promise.resolve();
        if (state.fails) throw new Error('down');
        return asked;
      },
      usableUntil: (_value, at) => new Date(at.getTime() + 60_000),
      clock: () => new Date(state.now),
      firstPauseMilliseconds: 40,
    }),
  };
  return state;
}

test('50 at once are one request, and later ones none until the end', async () => {
  const it = bench();
  expect(new Set(await Promise.all(Array.from({ length: 50 }, async () => await it.get())))).toEqual(
    new Set([1]),
  );
  it.now = START + 59_999;
  expect(await it.get()).toBe(1);
  it.now = START + 60_000;
  expect(await it.get()).toBe(2);
});

test('50 refusals of one value are one request; the value that has replaced it is not refused', async () => {
  const it = bench();
  await it.get();
  const again = Array.from({ length: 50 }, async () => await it.get((value) => value === 1));
  expect(new Set(await Promise.all(again))).toEqual(new Set([2]));
  expect(await it.get((value) => value === 1)).toBe(2);
});

test('a clock that is set back does not make a value last longer', async () => {
  const it = bench();
  await it.get();
  it.now = START - 1;
  expect(await it.get()).toBe(2);
});

test('a value without an end serves those who waited for it, and nobody else', async () => {
  let count = 0;
  const get = createRenewable({
    obtain: async () => ++count,
    usableUntil: () => undefined,
    clock: () => new Date(START),
  });
  expect(await Promise.all([get(), get()])).toEqual([1, 1]);
  expect(await get()).toBe(2);
});

describe('a failure', () => {
  test('is of those who waited, and is not kept', async () => {
    const it = bench();
    it.fails = true;
    const results = await Promise.allSettled(Array.from({ length: 50 }, async () => await it.get()));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(it.asked()).toBe(1);
    it.fails = false;
    expect(await it.get()).toBe(2);
  });

  test('makes the next request wait, longer with each', async () => {
    const it = bench();
    it.fails = true;
    const pauses: number[] = [];
    for (let round = 0; round < 4; round++) {
      const start = performance.now();
      await it.get().catch(() => undefined);
      pauses.push(performance.now() - start);
    }
    expect(pauses[1]).toBeGreaterThanOrEqual(19);
    expect(pauses[3]).toBeGreaterThanOrEqual(79);
  });

  test('does not take away what is still current', async () => {
    const it = bench();
    await it.get();
    it.fails = true;
    expect(await it.get()).toBe(1);
  });
});
