import { LRUCache } from 'lru-cache';
import type { JsonObject } from '../claims/claims.ts';
import type { Asked, KnownValue, LookUpReferenceValues } from './evaluation.ts';
import { PolicyError } from './policy.ts';
import { createPolicyPool } from './policy-pool.ts';
import type { PolicyModule } from './policy-thread.ts';
import { ValueLookup } from './value-lookup.ts';

export interface PolicyEngineSettings {
  readonly lookUpReferenceValues: LookUpReferenceValues;
  readonly threads?: number;
  /** An evaluation that runs longer is ended, and its policy fails at once for `quarantineMs`. */
  readonly deadlineMs?: number;
  readonly quarantineMs?: number;
  /** Evaluations that may wait; more are turned away. */
  readonly maxWaiting?: number;
  /** Memory of one loaded policy, in pages of 64 KiB. */
  readonly memoryPages?: number;
  /** Reference values that each thread keeps. */
  readonly keptValues?: number;
}

export interface PolicyQuestion {
  readonly module: PolicyModule;
  readonly input: JsonObject;
  /** What the policy sees as `data`. */
  readonly data?: JsonObject;
  /** `time.now_ns()`, and when reference values have to be valid. */
  readonly at: Date;
}

export interface PolicyAnswer {
  /** What the policy answered, unchecked. */
  readonly document: unknown;
  /** The reference values that it asked for. */
  readonly asked: readonly Asked[];
}

/** Evaluates compiled policies outside the thread that serves requests. */
export interface PolicyEngine {
  /**
   * Throws PolicyError: POLICY_EVALUATION_FAILED, POLICY_DEADLINE_EXCEEDED; CouldNotCheckError: OVERLOADED,
   * SHUTTING_DOWN, POLICY_UNAVAILABLE; and what the look-up of reference values throws.
   */
  evaluate(question: PolicyQuestion): Promise<PolicyAnswer>;
  /** Reference values have changed: the ones that are kept are not used again. */
  forgetReferenceValues(): void;
  close(): Promise<void>;
}

/** 32 MiB: the event log of a TDX guest, parsed, takes a few. */
const DEFAULT_MEMORY_PAGES = 512;
const KEPT_VALUE_CHARACTERS = 32 * 1024 * 1024;
const RESULT_CHARACTERS = 256 * 1024;
/** How often one evaluation may come to ask for reference values that it did not ask for before: conditions ask in turn. */
const MAX_ROUNDS = 64;
/** Policies of which it is remembered what they asked for, so that the next look-up brings all of it. */
const REMEMBERED_POLICIES = 256;

export function createPolicyEngine(settings: PolicyEngineSettings): PolicyEngine {
  const pool = createPolicyPool({
    threads: settings.threads ?? 1,
    deadlineMs: settings.deadlineMs ?? 250,
    quarantineMs: settings.quarantineMs ?? 5_000,
    maxWaiting: settings.maxWaiting ?? 10_000,
    limits: {
      memoryPages: settings.memoryPages ?? DEFAULT_MEMORY_PAGES,
      keptValues: settings.keptValues ?? 20_000,
      keptValueCharacters: KEPT_VALUE_CHARACTERS,
      resultCharacters: RESULT_CHARACTERS,
    },
  });
  const lookup = new ValueLookup(settings.lookUpReferenceValues, (values) => {
    pool.broadcast({ kind: 'keep-values', values });
  });
  const usual = new LRUCache<string, readonly string[]>({ max: REMEMBERED_POLICIES });

  return {
    async evaluate({ module, input, data, at }) {
      const documents = { input: JSON.stringify(input), data: JSON.stringify(data ?? {}), at: at.getTime() };
      let values: readonly KnownValue[] = [];
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const outcome = await pool.run(module, { ...documents, values });
        switch (outcome.kind) {
          case 'done':
            if (values.length > 0)
              usual.set(
                module.id,
                outcome.asked.map(([name]) => name),
              );
            return { document: JSON.parse(outcome.result) as unknown, asked: outcome.asked };
          case 'failed':
            throw evaluationFailed(module, outcome.why);
          case 'needs':
            values = [...values, ...(await lookup.find(wanted(outcome.names, usual.get(module.id), values)))];
        }
      }
      throw evaluationFailed(module, `it came to ask for more reference values ${MAX_ROUNDS} times`);
    },
    forgetReferenceValues() {
      lookup.forget();
      pool.broadcast({ kind: 'forget-values' });
    },
    async close() {
      await pool.close();
    },
  };
}

/** What an evaluation asks for now, and what its policy asked for the last time, without what it has been told. */
function wanted(
  asked: readonly string[],
  usual: readonly string[] | undefined,
  told: readonly KnownValue[],
): readonly string[] {
  const names = new Set([...asked, ...(usual ?? [])]);
  for (const { name } of told) names.delete(name);
  return [...names];
}

function evaluationFailed(module: PolicyModule, why: string): PolicyError {
  return new PolicyError(
    'POLICY_EVALUATION_FAILED',
    `policy '${module.name}' could not be evaluated: ${why}`,
  );
}
