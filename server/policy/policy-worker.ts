import { parentPort, workerData } from 'node:worker_threads';
import type { EvaluationOutcome, WorkerRequest } from './evaluation.ts';
import { createPolicyEvaluator, type EvaluatorLimits } from './policy-evaluator.ts';
import { ProgressBoard } from './progress-board.ts';

/** What the engine starts a worker with. */
export interface PolicyWorkerData {
  readonly limits: EvaluatorLimits;
  readonly board: SharedArrayBuffer;
}

const port = parentPort;
if (port === null) throw new Error('expected to run as a worker');

const { limits, board: memory } = workerData as PolicyWorkerData;
const board = new ProgressBoard(memory);
const evaluator = createPolicyEvaluator(limits);

/** Requests are carried out in the order in which they come, each to its end. */
let last = Promise.resolve();
port.on('message', (request: WorkerRequest) => {
  last = last.then(async () => {
    await carryOut(request);
  });
});

async function carryOut(request: WorkerRequest): Promise<void> {
  switch (request.kind) {
    case 'load':
      evaluator.load(request.module, request.bytes);
      return;
    case 'unload':
      evaluator.unload(request.module);
      return;
    case 'forget-values':
      evaluator.forgetValues();
      return;
    case 'keep-values':
      evaluator.keepValues(request.values);
      return;
    case 'evaluate': {
      const outcomes: EvaluationOutcome[] = [];
      for (const evaluation of request.evaluations) {
        board.begin(evaluation.id);
        outcomes.push(await evaluator.evaluate(evaluation));
      }
      board.rest();
      port?.postMessage(outcomes);
      return;
    }
  }
}
