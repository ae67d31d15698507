import { describe, expect, it } from 'vitest';
import type { Json } from '../../../server/claims/claims.ts';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { engineWith, policy } from './engine-under-test.ts';
import { AT } from './evaluate-once.ts';
import { refusalOf } from './refusal.ts';

/** Reference values that count how often they are looked up. */
function referenceValues(initial: Readonly<Record<string, Json>>, expiresAt?: Date) {
  const values = new Map(Object.entries(initial));
  const asked: (readonly string[])[] = [];
  return {
    values,
    asked,
    lookUpReferenceValues: async (names: readonly string[]) => {
      asked.push(names);
      const found = names.filter((name) => values.has(name));
      return await Promise.resolve(
        new Map(found.map((name) => [name, { value: values.get(name) ?? null, expiresAt }])),
      );
    },
  };
}

describe('reference values', () => {
  const ASKING = 'trust_claims := {"a": query_reference_value("a"), "b": query_reference_value("b")}';

  it('are looked up once, all that an evaluation asks for together, and kept', async () => {
    const module = await policy(ASKING);
    const known = referenceValues({ a: ['1', 2, null, { x: 2.5 }] });
    const engine = engineWith(known);
    const first = await engine.evaluate({ module, input: {}, at: AT });
    expect(first.document).toEqual({ trust_claims: { a: ['1', 2, null, { x: 2.5 }], b: null } });
    expect(first.asked).toEqual([
      ['a', 'present'],
      ['b', 'absent'],
    ]);
    const second = await engine.evaluate({ module, input: {}, at: AT });
    expect(second).toEqual(first);
    expect(known.asked.map((names) => [...names].sort())).toEqual([['a', 'b']]);
  });

  it('are looked up together for evaluations that run together', async () => {
    const module = await policy(ASKING);
    const known = referenceValues({ a: 1 });
    const engine = engineWith(known);
    await Promise.all(
      Array.from({ length: 10 }, async () => await engine.evaluate({ module, input: {}, at: AT })),
    );
    expect(known.asked).toHaveLength(1);
  });

  it('that are asked for depending on others take a round each', async () => {
    const module = await policy('trust_claims := {"x": query_reference_value(query_reference_value("a"))}');
    const known = referenceValues({ a: 'b', b: 'found' });
    const { document } = await engineWith(known).evaluate({ module, input: {}, at: AT });
    expect(document).toEqual({ trust_claims: { x: 'found' } });
    expect(known.asked).toEqual([['a'], ['b']]);
  });

  it('that a policy asked for before are looked up together after a change', async () => {
    const module = await policy('trust_claims := {"x": query_reference_value(query_reference_value("a"))}');
    const known = referenceValues({ a: 'b', b: 'found' });
    const engine = engineWith(known);
    await engine.evaluate({ module, input: {}, at: AT });
    engine.forgetReferenceValues();
    await engine.evaluate({ module, input: {}, at: AT });
    expect(known.asked).toEqual([['a'], ['b'], ['a', 'b']]);
  });

  it('are not asked for without end', async () => {
    const steps = Array.from({ length: 70 }, (_, n) => `v${n + 1} := query_reference_value(v${n})`).join(
      '\n\n',
    );
    const module = await policy(`v0 := "0"\n\n${steps}\n\ntrust_claims := {"x": v70}`);
    const values = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [String(n), String(n + 1)]));
    const refusal = await refusalOf(
      engineWith(referenceValues(values)).evaluate({ module, input: {}, at: AT }),
    );
    expect(refusal.code).toBe('POLICY_EVALUATION_FAILED');
  });

  it('are forgotten when they change', async () => {
    const module = await policy('trust_claims := {"a": query_reference_value("a")}');
    const known = referenceValues({ a: 1 });
    const engine = engineWith({ ...known, threads: 2 });
    const ask = async () => (await engine.evaluate({ module, input: {}, at: AT })).document;
    expect(await ask()).toEqual({ trust_claims: { a: 1 } });
    known.values.set('a', 2);
    expect(await ask()).toEqual({ trust_claims: { a: 1 } });
    engine.forgetReferenceValues();
    expect(await ask()).toEqual({ trust_claims: { a: 2 } });
  });

  it('that change while they are looked up are not kept', async () => {
    const module = await policy('trust_claims := {"a": query_reference_value("a")}');
    const known = referenceValues({ a: 1 });
    const changing = {
      lookUpReferenceValues: async (names: readonly string[]) => {
        const found = await known.lookUpReferenceValues(names);
        known.values.set('a', 2);
        engine.forgetReferenceValues();
        return found;
      },
    };
    const engine = engineWith(changing);
    await engine.evaluate({ module, input: {}, at: AT });
    const { document } = await engine.evaluate({ module, input: {}, at: AT });
    expect(document).toEqual({ trust_claims: { a: 2 } });
  });

  it('count as absent from the moment at which they expire', async () => {
    const module = await policy('trust_claims := {"a": query_reference_value("a")}');
    const engine = engineWith(referenceValues({ a: 1 }, AT));
    const before = await engine.evaluate({ module, input: {}, at: new Date(AT.getTime() - 1) });
    expect(before).toMatchObject({ document: { trust_claims: { a: 1 } }, asked: [['a', 'present']] });
    const then = await engine.evaluate({ module, input: {}, at: AT });
    expect(then).toMatchObject({ document: { trust_claims: { a: null } }, asked: [['a', 'absent']] });
  });

  it('are found although more are asked for than are kept', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `v${n}`);
    const module = await policy(
      `trust_claims := {name: query_reference_value(name) | some name in ${JSON.stringify(names)}}`,
    );
    const values = Object.fromEntries(names.map((name, n) => [name, n]));
    const { document } = await engineWith({ ...referenceValues(values), keptValues: 10 }).evaluate({
      module,
      input: {},
      at: AT,
    });
    expect(document).toEqual({ trust_claims: values });
  });

  it('that cannot be looked up fail the evaluation as such', async () => {
    const module = await policy(ASKING);
    const engine = engineWith({
      lookUpReferenceValues: async () =>
        await Promise.reject(new CouldNotCheckError('STORAGE_UNAVAILABLE', 'gone')),
    });
    await expect(engine.evaluate({ module, input: {}, at: AT })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});
