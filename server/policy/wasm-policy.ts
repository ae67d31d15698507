import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { z } from 'zod';
import type { HostBuiltins } from './builtins/host-builtin.ts';

/** WebAssembly pages of 64 KiB. The compiler asks for what a policy's own text needs, at most a few dozen. */
const INITIAL_PAGES = 16;

/** A compiled policy, loaded. Not reusable after it has thrown: its memory may be in any state. */
export interface WasmPolicy {
  readonly entrypoints: ReadonlySet<string>;
  /** What it takes up. Grows with what evaluations need, and never shrinks. */
  readonly memoryBytes: number;
  /** Replaces `data`. JSON text. */
  setData(json: string): void;
  /**
   * Evaluates one entrypoint with this input (JSON text); the document, or `undefined`. Leaves nothing of the input in the
   * policy's memory. Throws when the evaluation fails or needs more memory than there is.
   */
  evaluate(entrypoint: string, inputJson: string): unknown;
}

export interface WasmLimits {
  /** Of 64 KiB each; more makes the evaluation fail. */
  readonly memoryPages: number;
}

/** What we use of the kit's policy, whose own types say `any`. */
interface LoadedPolicy {
  readonly mem: { readonly buffer: ArrayBuffer };
  readonly wasmInstance: { readonly exports: { readonly opa_heap_ptr_get: () => number } };
  readonly entrypoints: Readonly<Record<string, number>>;
  readonly baseHeapPtr: number;
  readonly dataHeapPtr: number;
  setData(data: ArrayBuffer): void;
  evaluate(input: ArrayBuffer, entrypoint: string): unknown;
}

const resultSetSchema = z.union([z.tuple([z.object({ result: z.unknown() })]), z.tuple([])]);
const encoder = new TextEncoder();

/** The only place that knows OPA's WebAssembly kit. Rejects when the bytes are not a policy for it. */
export async function loadWasmPolicy(
  module: Uint8Array,
  builtins: HostBuiltins,
  limits: WasmLimits,
): Promise<WasmPolicy> {
  const memory = { initial: INITIAL_PAGES, maximum: limits.memoryPages };
  const policy = (await loadPolicy(new Uint8Array(module), memory, { ...builtins })) as LoadedPolicy;
  let data = '{}';
  return {
    entrypoints: new Set(Object.keys(policy.entrypoints)),
    get memoryBytes() {
      return policy.mem.buffer.byteLength;
    },
    setData(json) {
      if (json === data) return;
      wipe(policy, policy.baseHeapPtr, policy.dataHeapPtr);
      policy.setData(toBuffer(json));
      data = json;
    },
    evaluate(entrypoint, inputJson) {
      const [answer] = resultSetSchema.parse(policy.evaluate(toBuffer(inputJson), entrypoint));
      wipe(policy, policy.dataHeapPtr, policy.wasmInstance.exports.opa_heap_ptr_get());
      return answer?.result;
    },
  };
}

/** Everything above the data belongs to one evaluation, and the next one starts there again. */
function wipe(policy: LoadedPolicy, start: number, end: number): void {
  new Uint8Array(policy.mem.buffer).fill(0, start, end);
}

/** The kit takes well-formed JSON as a whole ArrayBuffer. */
function toBuffer(json: string): ArrayBuffer {
  const bytes = encoder.encode(json);
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}
