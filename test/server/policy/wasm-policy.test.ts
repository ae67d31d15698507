import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadWasmPolicy, type WasmPolicy } from '../../../server/policy/wasm-policy.ts';
import { policy } from './engine-under-test.ts';

const ENTRYPOINT = 'verigo/verdict';
const LIMITS = { memoryPages: 64 };

let module: Uint8Array;
beforeAll(async () => {
  const rules = `trust_claims := {"text": input.text, "all": input, "data": told}

told := data.x

default told := null

trust_claims := {"text": "other"} if input.contradict == true`;
  ({ bytes: module } = await policy(rules));
});

async function load(): Promise<WasmPolicy> {
  return await loadWasmPolicy(module, {}, LIMITS);
}

describe('a loaded policy', () => {
  it('leaves nothing of an evaluation in its memory', async () => {
    const memories: WebAssemblyMemory[] = [];
    const { Memory } = webAssembly;
    vi.stubGlobal('WebAssembly', {
      ...Object.fromEntries(
        Object.getOwnPropertyNames(webAssembly).map((name) => [name, Reflect.get(webAssembly, name)]),
      ),
      Memory: class extends Memory {
        constructor(descriptor: object) {
          super(descriptor);
          memories.push(this);
        }
      },
    });
    const loaded = await load();
    vi.unstubAllGlobals();
    const [memory] = memories;
    const contains = (text: string): boolean => Buffer.from(memory!.buffer).includes(text);
    const secret = 'the-secret-of-guest-A';
    const large = JSON.stringify({ text: secret, padding: Array.from({ length: 10_000 }, () => secret) });
    expect(JSON.stringify(loaded.evaluate(ENTRYPOINT, large))).toContain(secret);
    expect(contains(secret)).toBe(false);
    loaded.setData(JSON.stringify({ x: secret }));
    expect(JSON.stringify(loaded.evaluate(ENTRYPOINT, '{"text":1}'))).toContain(secret);
    loaded.setData('{}');
    expect(contains(secret)).toBe(false);
  });

  it('answers the same whatever it was asked before', async () => {
    const used = await load();
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.json(), async (before, now) => {
        const input = `{"text":${now}}`;
        used.setData(`{"x":${before}}`);
        used.evaluate(ENTRYPOINT, `{"text":${before}}`);
        used.setData('{}');
        const fresh = await load();
        expect(used.evaluate(ENTRYPOINT, input)).toEqual(fresh.evaluate(ENTRYPOINT, input));
      }),
      { numRuns: 50 },
    );
  });

  it('throws what a policy that contradicts itself comes to', async () => {
    const loaded = await load();
    expect(() => loaded.evaluate(ENTRYPOINT, '{"text":1,"contradict":true}')).toThrow(/conflict/);
  });

  it('throws when an input or what is made of it does not fit', async () => {
    const loaded = await load();
    expect(() => loaded.evaluate(ENTRYPOINT, JSON.stringify({ text: 'x'.repeat(8 << 20) }))).toThrow();
  });

  it('throws for an entrypoint that it does not have', async () => {
    const loaded = await load();
    expect([...loaded.entrypoints]).toEqual([ENTRYPOINT]);
    expect(() => loaded.evaluate('policy/other', '{}')).toThrow(/not valid/);
  });

  it('is not made of other bytes', async () => {
    await expect(loadWasmPolicy(new Uint8Array(8), {}, LIMITS)).rejects.toThrow();
    await expect(loadWasmPolicy(module.subarray(0, 1000), {}, LIMITS)).rejects.toThrow();
  });
});

/** What the test needs of a global that the compiler's libraries do not declare. */
interface WebAssemblyMemory {
  readonly buffer: ArrayBuffer;
}
const { WebAssembly: webAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (descriptor: object) => WebAssemblyMemory };
};
