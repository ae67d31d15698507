import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type ExactJson, exactJson, type HostBuiltins } from './builtins/host-builtin.ts';
import { createHostBuiltins } from './builtins/host-builtins.ts';
import { REFERENCE_NAMES_ENTRYPOINT, VERDICT_ENTRYPOINT } from './entrypoints.ts';
import type { Asked, Evaluation, EvaluationOutcome, KnownValue } from './evaluation.ts';
import { loadWasmPolicy, type WasmLimits, type WasmPolicy } from './wasm-policy.ts';

export interface EvaluatorLimits extends WasmLimits {
  /** Reference values kept between evaluations: how many, and how much JSON. */
  readonly keptValues: number;
  readonly keptValueCharacters: number;
  /** Characters of JSON that a policy may answer with. */
  readonly resultCharacters: number;
}

/** Evaluates loaded policies, one at a time. Runs in a worker; knows nothing of threads. */
export interface PolicyEvaluator {
  load(module: string, bytes: Uint8Array): void;
  unload(module: string): void;
  keepValues(values: readonly KnownValue[]): void;
  forgetValues(): void;
  evaluate(evaluation: Evaluation): Promise<EvaluationOutcome>;
}

interface LoadedModule {
  readonly bytes: Uint8Array;
  /** Undefined until first needed, and again after an evaluation failed in it. */
  policy: WasmPolicy | undefined;
  referenceNames: readonly string[];
}

interface KeptValue {
  readonly json: ExactJson;
  readonly answer: 'present' | 'absent';
  readonly expiresAt: number | undefined;
}

/** A policy that an unusual input made larger than this is loaded anew for the next one. */
const KEPT_MEMORY_BYTES = 4 * 1024 * 1024;
const NULL = exactJson('null');
const namesSchema = z.array(z.string());

export function createPolicyEvaluator(limits: EvaluatorLimits): PolicyEvaluator {
  const modules = new Map<string, LoadedModule>();
  const kept = new LRUCache<string, KeptValue>({
    max: limits.keptValues,
    maxSize: limits.keptValueCharacters,
    sizeCalculation: ({ json }, name) => json.byteLength + name.length,
  });
  let run = createRun(EMPTY_EVALUATION, kept);
  const builtins: HostBuiltins = {
    ...createHostBuiltins(() => run.at),
    query_reference_value: (name) => (typeof name === 'string' ? run.query(name) : undefined),
  };

  return {
    load(module, bytes) {
      modules.set(module, { bytes, policy: undefined, referenceNames: [] });
    },
    unload(module) {
      modules.delete(module);
    },
    keepValues(values) {
      for (const value of values) kept.set(value.name, toKept(value));
    },
    forgetValues() {
      kept.clear();
    },
    async evaluate(evaluation) {
      const { id } = evaluation;
      const module = modules.get(evaluation.module);
      if (module === undefined) return { id, kind: 'failed', why: 'its module is not loaded' };
      run = createRun(evaluation, kept);
      try {
        const policy = await open(module, builtins, limits);
        const outcome = answer(policy, module.referenceNames, evaluation, run, limits);
        if (policy.memoryBytes > KEPT_MEMORY_BYTES) module.policy = undefined;
        return outcome;
      } catch (error) {
        module.policy = undefined;
        // What failed may have failed only for want of a value.
        if (run.missing.size > 0) return { id, kind: 'needs', names: [...run.missing] };
        return { id, kind: 'failed', why: describe(error) };
      } finally {
        run = createRun(EMPTY_EVALUATION, kept);
      }
    },
  };
}

async function open(module: LoadedModule, builtins: HostBuiltins, limits: WasmLimits): Promise<WasmPolicy> {
  if (module.policy !== undefined) return module.policy;
  const policy = await loadWasmPolicy(module.bytes, builtins, limits);
  module.referenceNames = policy.entrypoints.has(REFERENCE_NAMES_ENTRYPOINT)
    ? namesSchema.parse(policy.evaluate(REFERENCE_NAMES_ENTRYPOINT, '{}'))
    : [];
  module.policy = policy;
  return policy;
}

function answer(
  policy: WasmPolicy,
  referenceNames: readonly string[],
  { id, input, data }: Evaluation,
  run: Run,
  limits: EvaluatorLimits,
): EvaluationOutcome {
  policy.setData(referenceNames.length > 0 ? dataWithReference(referenceNames, run) : data);
  const document = policy.evaluate(VERDICT_ENTRYPOINT, input);
  if (run.missing.size > 0) return { id, kind: 'needs', names: [...run.missing] };
  const result = JSON.stringify(document ?? null);
  if (result.length > limits.resultCharacters) {
    const why = `expected a result of at most ${limits.resultCharacters} characters, got ${result.length}`;
    return { id, kind: 'failed', why };
  }
  return { id, kind: 'done', result, asked: [...run.asked] };
}

/** What one evaluation has been told, and what it asked for. */
interface Run {
  readonly at: Date;
  readonly asked: ReadonlyMap<Asked[0], Asked[1]>;
  readonly missing: ReadonlySet<string>;
  query(name: string): ExactJson;
}

const EMPTY_EVALUATION: Evaluation = { id: 0, module: '', input: '', data: '', at: 0, values: [] };

function createRun({ at, values }: Evaluation, kept: LRUCache<string, KeptValue>): Run {
  const told = new Map(values.map((value) => [value.name, toKept(value)]));
  const asked = new Map<Asked[0], Asked[1]>();
  const missing = new Set<string>();
  return {
    at: new Date(at),
    asked,
    missing,
    query(name) {
      const value = told.get(name) ?? kept.get(name);
      if (value === undefined) {
        missing.add(name);
        return NULL; // the evaluation is abandoned; it goes on only to find what else it asks for
      }
      const isExpired = value.expiresAt !== undefined && value.expiresAt <= at;
      asked.set(name, isExpired ? 'absent' : value.answer);
      return isExpired ? NULL : value.json;
    },
  };
}

function toKept({ json, expiresAt }: KnownValue): KeptValue {
  return json === undefined
    ? { json: NULL, answer: 'absent', expiresAt }
    : { json: exactJson(json), answer: 'present', expiresAt };
}

/** `data.reference` with what there is under the names that the policy reads; one that is absent has no member. */
function dataWithReference(names: readonly string[], run: Run): string {
  const decoder = new TextDecoder();
  const members = names.flatMap((name) => {
    const json = run.query(name);
    return run.asked.get(name) === 'present' ? [`${JSON.stringify(name)}:${decoder.decode(json)}`] : [];
  });
  return `{"reference":{${members.join(',')}}}`;
}

/** The kit throws text, objects with a message, and errors of the WebAssembly runtime. Shown to policy authors. */
function describe(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return String(message).slice(0, 300);
}
