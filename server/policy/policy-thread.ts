import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { Evaluation, EvaluationOutcome, WorkerReply, WorkerRequest } from './evaluation.ts';
import type { EvaluatorLimits } from './policy-evaluator.ts';
import type { PolicyWorkerData } from './policy-worker.ts';
import { ProgressBoard } from './progress-board.ts';

/** A compiled policy. `id` is the SHA-256 of the bytes, hex. */
export interface PolicyModule {
  readonly id: string;
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** An evaluation and the module that it needs. */
export interface Work {
  readonly evaluation: Evaluation;
  readonly module: PolicyModule;
}

export interface ThreadSettings {
  readonly limits: EvaluatorLimits;
  readonly onOutcomes: (outcomes: readonly EvaluationOutcome[]) => void;
  /** The thread has ended, and nobody asked it to. */
  readonly onCrash: (cause: unknown) => void;
}

/** One worker thread. It loads each module once, and keeps the process alive only while it has something to do. */
export interface PolicyThread {
  /** The evaluation that is being carried out, if any. */
  running(): number | undefined;
  /** The evaluation that has been carried out for at least `deadlineMs`, if any. Asked regularly, with a monotonic clock. */
  overdue(deadlineMs: number, nowMs: number): number | undefined;
  evaluate(work: readonly Work[]): void;
  send(request: WorkerRequest): void;
  stop(): Promise<void>;
}

/** Compiled, this file and the worker's end in `.js`. */
const WORKER_FILE = new URL(
  import.meta.url.endsWith('.ts') ? './policy-worker.ts' : './policy-worker.js',
  import.meta.url,
);
/**
 * Modules that stay loaded; the one used longest ago goes first. More than there are evaluations on their way to a thread, so
 * that none of theirs goes.
 */
const LOADED_MODULES = 64;
/** For what built-ins allocate; WebAssembly memory has a limit of its own. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 };

export function startPolicyThread(settings: ThreadSettings): PolicyThread {
  const board = new ProgressBoard();
  const workerData: PolicyWorkerData = { limits: settings.limits, board: board.memory };
  const worker = new Worker(WORKER_FILE, { workerData, env: {}, resourceLimits: RESOURCE_LIMITS });
  const send = (request: WorkerRequest): void => {
    worker.postMessage(request);
  };
  const loaded = new LRUCache<string, true>({
    max: LOADED_MODULES,
    dispose: (_, module) => {
      send({ kind: 'unload', module });
    },
  });
  let unfinished = 0;
  let watched: { readonly step: number; readonly since: number } | undefined;
  listen(worker, settings, (answered) => {
    unfinished -= answered;
    if (unfinished === 0) worker.unref();
  });

  return {
    running: () => board.read().evaluation || undefined,
    overdue(deadlineMs, nowMs) {
      const { step, evaluation } = board.read();
      if (watched?.step !== step) watched = { step, since: nowMs };
      return evaluation !== 0 && nowMs - watched.since >= deadlineMs ? evaluation : undefined;
    },
    evaluate(work) {
      for (const { module } of work) {
        if (loaded.get(module.id) === true) continue;
        loaded.set(module.id, true);
        send({ kind: 'load', module: module.id, bytes: module.bytes });
      }
      unfinished += work.length;
      worker.ref();
      send({ kind: 'evaluate', evaluations: work.map(({ evaluation }) => evaluation) });
    },
    send,
    async stop() {
      worker.removeAllListeners();
      await worker.terminate();
    },
  };
}

function listen(worker: Worker, settings: ThreadSettings, onAnswered: (count: number) => void): void {
  let cause: unknown;
  worker.unref();
  worker.on('message', (outcomes: WorkerReply) => {
    onAnswered(outcomes.length);
    settings.onOutcomes(outcomes);
  });
  worker.on('error', (error: unknown) => {
    cause = error;
  });
  worker.on('exit', () => {
    settings.onCrash(cause);
  });
}
