import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../server/claims/claims.ts';
import { engineWith, policy } from './engine-under-test.ts';
import { AT } from './evaluate-once.ts';
import { refusalOf } from './refusal.ts';

/** Compares for as long as the input says, without needing memory. */
const SLOW = 'trust_claims := {"found": contains(input.text, input.needle)}';
const SLOW_INPUT = { text: 'a'.repeat(400_000), needle: `${'a'.repeat(200_000)}b` };

describe('evaluating in a worker', () => {
  it('answers what the policy says of the input', async () => {
    const module = await policy('trust_claims := {"hardware": input.n + 1}');
    const engine = engineWith();
    const { document, asked } = await engine.evaluate({ module, input: { n: 1 }, at: AT });
    expect(document).toEqual({ trust_claims: { hardware: 2 } });
    expect(asked).toEqual([]);
  });

  it('shows data to the one evaluation that it is for', async () => {
    const module = await policy('trust_claims := {"x": data.query}');
    const engine = engineWith();
    const ask = async (data?: { query: Json }) =>
      (await engine.evaluate({ module, input: {}, ...(data && { data }), at: AT })).document;
    expect(await ask({ query: { a: 'long enough to leave something behind' } })).toEqual({
      trust_claims: { x: { a: 'long enough to leave something behind' } },
    });
    expect(await ask({ query: {} })).toEqual({ trust_claims: { x: {} } });
    expect(await ask()).toEqual({});
  });

  it('tells the time of the question', async () => {
    const module = await policy('trust_claims := {"now": time.now_ns() / 1000000}');
    const { document } = await engineWith().evaluate({ module, input: {}, at: AT });
    expect(document).toEqual({ trust_claims: { now: AT.getTime() } });
  });

  it('carries out many at once, each with its own answer, on several threads', async () => {
    const modules = [
      await policy('trust_claims := {"n": input.n}'),
      await policy('trust_claims := {"n": input.n * 2}'),
    ];
    const engine = engineWith({ threads: 2 });
    const answers = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const module = modules[n % 2]!;
        return (await engine.evaluate({ module, input: { n }, at: AT })).document;
      }),
    );
    expect(answers).toEqual(answers.map((_, n) => ({ trust_claims: { n: n % 2 === 0 ? n : n * 2 } })));
  });

  it('fails a policy that contradicts itself, and goes on', async () => {
    const module = await policy(
      'trust_claims := {"hardware": 2} if input.a\n\ntrust_claims := {"hardware": 3} if input.b',
    );
    const engine = engineWith();
    const ask = async (input: Record<string, boolean>) =>
      (await engine.evaluate({ module, input, at: AT })).document;
    expect(await refusalOf(ask({ a: true, b: true }))).toMatchObject({ code: 'POLICY_EVALUATION_FAILED' });
    expect(await ask({ a: true, b: false })).toEqual({ trust_claims: { hardware: 2 } });
  });

  it('fails a policy that needs more memory than it may have, and goes on', async () => {
    const greedy = await policy(
      'trust_claims := {"n": count([concat("", [input.text, input.text]) | some _ in numbers.range(1, 100000)])}',
    );
    const modest = await policy('trust_claims := {}');
    const engine = engineWith({ memoryPages: 64, deadlineMs: 20_000 });
    const refusal = await refusalOf(
      engine.evaluate({ module: greedy, input: { text: 'x'.repeat(1000) }, at: AT }),
    );
    expect(refusal.code).toBe('POLICY_EVALUATION_FAILED');
    expect((await engine.evaluate({ module: modest, input: {}, at: AT })).document).toEqual({
      trust_claims: {},
    });
    const tooLarge = engine.evaluate({ module: modest, input: { text: 'x'.repeat(8 << 20) }, at: AT });
    expect((await refusalOf(tooLarge)).code).toBe('POLICY_EVALUATION_FAILED');
  });

  it('fails bytes that are no policy', async () => {
    const module = { id: 'm', name: 'broken', bytes: new Uint8Array([0, 97, 115, 109]) };
    const refusal = await refusalOf(engineWith().evaluate({ module, input: {}, at: AT }));
    expect(refusal).toMatchObject({ code: 'POLICY_EVALUATION_FAILED' });
    expect(refusal.message).toContain("'broken'");
  });

  it('fails an answer that is too long', async () => {
    const module = await policy('trust_claims := {"x": numbers.range(1, 100000)}');
    const refusal = await refusalOf(
      engineWith({ deadlineMs: 20_000 }).evaluate({ module, input: {}, at: AT }),
    );
    expect(refusal).toMatchObject({ code: 'POLICY_EVALUATION_FAILED' });
  });

  it('turns away what is too much, and everything once it is closed', async () => {
    const module = await policy('trust_claims := {}');
    const engine = engineWith({ maxWaiting: 5 });
    const questions = Array.from(
      { length: 6 },
      async () => await engine.evaluate({ module, input: {}, at: AT }),
    );
    await expect(questions.pop()).rejects.toMatchObject({ code: 'OVERLOADED' });
    const answers = Promise.allSettled(questions);
    await engine.close();
    for (const answer of await answers) expect(answer).toMatchObject({ reason: { code: 'SHUTTING_DOWN' } });
    await expect(engine.evaluate({ module, input: {}, at: AT })).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });
});

describe('a policy that does not end', () => {
  it('is ended and set aside, while the others are carried out', async () => {
    const [slow, quick] = [
      await policy(SLOW, 'slow'),
      await policy('trust_claims := {"n": input.n}', 'quick'),
    ];
    const engine = engineWith({ deadlineMs: 100, quarantineMs: 60_000 });
    await engine.evaluate({ module: quick, input: { n: 0 }, at: AT });
    const before = performance.now();
    const slowAnswers = [1, 2].map(
      async () => await refusalOf(engine.evaluate({ module: slow, input: SLOW_INPUT, at: AT })),
    );
    const quickAnswers = Array.from(
      { length: 100 },
      async (_, n) => await engine.evaluate({ module: quick, input: { n }, at: AT }),
    );
    expect((await Promise.all(quickAnswers)).map(({ document }) => document)).toEqual(
      quickAnswers.map((_, n) => ({ trust_claims: { n } })),
    );
    for (const refusal of await Promise.all(slowAnswers)) {
      expect(refusal.code).toBe('POLICY_DEADLINE_EXCEEDED');
      expect(refusal.message).toContain("'slow'");
    }
    expect(performance.now() - before).toBeLessThan(5_000);

    const again = performance.now();
    const refusal = await refusalOf(engine.evaluate({ module: slow, input: SLOW_INPUT, at: AT }));
    expect(refusal.code).toBe('POLICY_DEADLINE_EXCEEDED');
    expect(performance.now() - again).toBeLessThan(100);
  });

  it('is tried again when its time is over', async () => {
    const module = await policy(SLOW);
    const engine = engineWith({ deadlineMs: 100, quarantineMs: 200 });
    const ask = async (input: JsonObject) => (await engine.evaluate({ module, input, at: AT })).document;
    const quick = { text: 'ab', needle: 'b' };
    expect((await refusalOf(ask(SLOW_INPUT))).code).toBe('POLICY_DEADLINE_EXCEEDED');
    expect((await refusalOf(ask(quick))).code).toBe('POLICY_DEADLINE_EXCEEDED');
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await ask(quick)).toEqual({ trust_claims: { found: true } });
  });
});
