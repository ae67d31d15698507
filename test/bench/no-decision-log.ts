import {
  type ClosableDecisionLog,
  createDecisionLog as createRealLog,
} from '../../server/decisions/decision-log.ts';

/** Stands in for the module of that name: gives ids as the real one does, and writes nothing. */
export function createDecisionLog(): ClosableDecisionLog {
  const { newId, close } = createRealLog(async () => undefined);
  return { newId, record: async () => undefined, close };
}
