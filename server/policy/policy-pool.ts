import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import type { Evaluation, EvaluationOutcome, WorkerRequest } from './evaluation.ts';
import { PolicyError } from './policy.ts';
import {
  type PolicyModule,
  type PolicyThread,
  startPolicyThread,
  type ThreadSettings,
} from './policy-thread.ts';

export interface PolicyPoolSettings extends Pick<ThreadSettings, 'limits'> {
  readonly threads: number;
  readonly deadlineMs: number;
  readonly quarantineMs: number;
  readonly maxWaiting: number;
}

/** Worker threads that evaluate policies. One that hangs is replaced; what waited behind it is carried out all the same. */
export interface PolicyPool {
  /** Throws PolicyError: POLICY_DEADLINE_EXCEEDED, POLICY_EVALUATION_FAILED; CouldNotCheckError. */
  run(
    module: PolicyModule,
    evaluation: Pick<Evaluation, 'input' | 'data' | 'at' | 'values'>,
  ): Promise<EvaluationOutcome>;
  broadcast(request: WorkerRequest): void;
  close(): Promise<void>;
}

/** Evaluations in one message: enough that a message costs little, few enough that the first soon has its answer. */
const BATCH = 16;
/** How often a deadline is looked at before it is over. */
const LOOKS_PER_DEADLINE = 5;
/** A worker that keeps ending before it has answered anything is not started for ever. */
const MAX_CRASHES_IN_A_ROW = 3;

export function createPolicyPool(settings: PolicyPoolSettings): PolicyPool {
  return new Pool(settings);
}

/** An evaluation until it is answered. */
interface Job {
  readonly module: PolicyModule;
  readonly evaluation: Evaluation;
  readonly resolve: (outcome: EvaluationOutcome) => void;
  readonly reject: (error: Error) => void;
}

class Pool implements PolicyPool {
  readonly #settings: PolicyPoolSettings;
  /** What each thread has been given and has not answered, in that order. */
  readonly #threads = new Map<PolicyThread, Map<number, Job>>();
  readonly #waiting: Job[] = [];
  /** Until when a policy fails at once, by its module, on the monotonic clock. */
  readonly #quarantine = new Map<string, number>();
  #watchdog: NodeJS.Timeout | undefined;
  #isDispatchDue = false;
  #isClosed = false;
  #lastId = 0;
  #crashesInARow = 0;

  constructor(settings: PolicyPoolSettings) {
    this.#settings = settings;
    for (let count = 0; count < settings.threads; count++) this.#startThread();
  }

  async run(
    module: PolicyModule,
    evaluation: Pick<Evaluation, 'input' | 'data' | 'at' | 'values'>,
  ): Promise<EvaluationOutcome> {
    if (this.#isClosed) throw shuttingDown();
    if (this.#isQuarantined(module)) throw this.#tooSlow(module);
    if (this.#waiting.length >= this.#settings.maxWaiting) {
      throw new CouldNotCheckError('OVERLOADED', 'too many policy evaluations are waiting');
    }
    return await new Promise((resolve, reject) => {
      this.#lastId = (this.#lastId % 0x7fff_ffff) + 1; // fits a cell of the progress board, and is never 0
      const numbered = { ...evaluation, id: this.#lastId, module: module.id };
      this.#waiting.push({ module, evaluation: numbered, resolve, reject });
      this.#dispatchSoon();
    });
  }

  broadcast(request: WorkerRequest): void {
    for (const thread of this.#threads.keys()) thread.send(request);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWatching();
    const threads = [...this.#threads];
    this.#threads.clear();
    const unanswered = [...threads.flatMap(([, given]) => [...given.values()]), ...this.#waiting.splice(0)];
    for (const job of unanswered) job.reject(shuttingDown());
    await Promise.all(
      threads.map(async ([thread]) => {
        await thread.stop();
      }),
    );
  }

  /** After the events that are due now: what they bring travels in one message. */
  #dispatchSoon(): void {
    if (this.#isDispatchDue) return;
    this.#isDispatchDue = true;
    setImmediate(() => {
      this.#isDispatchDue = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    // All of them kept crashing; what comes now may fare better.
    if (this.#threads.size === 0 && this.#waiting.length > 0 && !this.#isClosed) this.#startThread();
    while (this.#waiting.length > 0) {
      const [thread, given] = this.#leastBusyThread();
      // Two batches at a time, so that a thread does not rest while its answer travels.
      if (thread === undefined || given.size > BATCH) return;
      const batch = this.#waiting.splice(0, BATCH);
      for (const job of batch) given.set(job.evaluation.id, job);
      thread.evaluate(batch);
      this.#startWatching();
    }
  }

  #leastBusyThread(): readonly [PolicyThread | undefined, Map<number, Job>] {
    const [first, ...others] = this.#threads;
    if (first === undefined) return [undefined, new Map()];
    return others.reduce((best, next) => (next[1].size < best[1].size ? next : best), first);
  }

  #startThread(): void {
    const given = new Map<number, Job>();
    const { limits } = this.#settings;
    const thread = startPolicyThread({
      limits,
      onOutcomes: (outcomes) => {
        this.#crashesInARow = 0;
        for (const outcome of outcomes) {
          given.get(outcome.id)?.resolve(outcome);
          given.delete(outcome.id);
        }
        this.#dispatch();
      },
      onCrash: (cause) => {
        this.#crashesInARow += 1;
        this.#replace(thread, thread.running(), (job) => crashed(job, cause));
      },
    });
    this.#threads.set(thread, given);
  }

  #startWatching(): void {
    this.#watchdog ??= setInterval(() => {
      this.#watch();
    }, this.#settings.deadlineMs / LOOKS_PER_DEADLINE).unref();
  }

  #stopWatching(): void {
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
  }

  #watch(): void {
    for (const thread of this.#threads.keys()) {
      const culprit = thread.overdue(this.#settings.deadlineMs, performance.now());
      if (culprit === undefined) continue;
      this.#replace(thread, culprit, ({ module }) => this.#tooSlow(module));
      void thread.stop();
    }
    if ([...this.#threads.values()].every((given) => given.size === 0)) this.#stopWatching();
  }

  /** Starts another thread in its place. The culprit's policy is set aside; the rest of the work is done again. */
  #replace(thread: PolicyThread, culprit: number | undefined, reason: (job: Job) => Error): void {
    const given = this.#threads.get(thread) ?? new Map<number, Job>();
    this.#threads.delete(thread);
    const guilty = culprit === undefined ? undefined : given.get(culprit);
    if (guilty !== undefined) {
      this.#quarantine.set(guilty.module.id, performance.now() + this.#settings.quarantineMs);
    }
    const unanswered = [...given.values(), ...this.#waiting.splice(0)];
    for (const job of unanswered) {
      if (job.module.id === guilty?.module.id) job.reject(reason(job));
      else this.#waiting.push(job);
    }
    if (this.#crashesInARow > MAX_CRASHES_IN_A_ROW) {
      for (const job of this.#waiting.splice(0)) job.reject(unavailable());
      return;
    }
    this.#startThread();
    this.#dispatch();
  }

  #isQuarantined(module: PolicyModule): boolean {
    const until = this.#quarantine.get(module.id);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#quarantine.delete(module.id);
    return false;
  }

  #tooSlow({ name }: PolicyModule): PolicyError {
    const { deadlineMs, quarantineMs } = this.#settings;
    return new PolicyError(
      'POLICY_DEADLINE_EXCEEDED',
      `expected policy '${name}' to answer within ${deadlineMs} ms, got nothing; it is set aside for ${quarantineMs} ms`,
    );
  }
}

function crashed({ module }: Job, cause: unknown): PolicyError {
  return new PolicyError(
    'POLICY_EVALUATION_FAILED',
    `policy '${module.name}' could not be evaluated: its worker ended`,
    { cause },
  );
}

function shuttingDown(): CouldNotCheckError {
  return new CouldNotCheckError('SHUTTING_DOWN', 'policies are no longer evaluated');
}

function unavailable(): CouldNotCheckError {
  return new CouldNotCheckError(
    'POLICY_UNAVAILABLE',
    'policies cannot be evaluated: their worker keeps ending',
  );
}
