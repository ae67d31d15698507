import { randomUUID } from 'node:crypto';
import { createGroupCommit } from '../storage/group-commit.ts';
import type { Decision, DecisionLog } from './decision.ts';

const MAX_WAITING = 20_000;
const MAX_BATCH = 500;
/** In the text of a UUID: the hyphen in front of what follows the version's part. */
const VARIANT_START = 18;

/** A decision log that can be closed: what was recorded is durable, what comes later is refused. */
export interface ClosableDecisionLog extends DecisionLog {
  close(): Promise<void>;
}

/** `insert` writes all rows in one transaction. */
export function createDecisionLog(
  insert: (decisions: readonly Decision[]) => Promise<void>,
): ClosableDecisionLog {
  const commit = createGroupCommit<Decision, undefined>({
    write: async (decisions) => {
      await insert(decisions);
      return decisions.map(() => undefined);
    },
    maxWaiting: MAX_WAITING,
    maxBatch: MAX_BATCH,
  });
  return {
    newId: createIds(),
    record: async (decision) => {
      await commit.submit(decision);
    },
    close: async () => {
      await commit.close();
    },
  };
}

/**
 * UUID version 7 (RFC 9562, section 5.7): milliseconds, then a counter in the 12 bits of rand_a (method 1 of section
 * 6.2), so that ids of one process sort in the order in which they were made.
 */
function createIds(): (at: Date) => string {
  let last = 0;
  let counter = 0;
  return (at) => {
    const milliseconds = Math.max(at.getTime(), last);
    counter = milliseconds === last ? counter + 1 : 0;
    last = milliseconds;
    if (counter > 0xfff) {
      last += 1;
      counter = 0;
    }
    const time = last.toString(16).padStart(12, '0');
    const sequence = counter.toString(16).padStart(3, '0');
    const random = randomUUID().slice(VARIANT_START); // variant and rand_b are those of version 4
    return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence}${random}`;
  };
}
