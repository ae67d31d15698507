import type { Decision, DecisionLog } from '../decisions/decision.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { DecidedError } from '../errors/decided-error.ts';
import type { Administrator } from './admin-auth.ts';

/** A change by an administrator, as the record names it. */
export interface AdminChange {
  readonly administrator: Administrator;
  /** What is changed, e.g. `policy set attestation/default_cpu`. No content. */
  readonly subject: string;
}

/** Makes a change and records it; resolves to the change's own result and the decision's id once both are durable. */
export type RecordAdminChange = <Result>(
  change: AdminChange,
  make: () => Promise<Result>,
  at: Date,
) => Promise<{ readonly result: Result; readonly decisionId: string }>;

/** A change that fails is recorded too, then thrown on as DecidedError. */
export function createRecordAdminChange(decisions: DecisionLog): RecordAdminChange {
  return async ({ administrator, subject }, make, at) => {
    const id = decisions.newId(at);
    const record = async (outcome: Pick<Decision, 'outcome' | 'code'>): Promise<void> => {
      await decisions.record({
        id,
        at,
        ...outcome,
        kind: 'admin',
        subject,
        policy: undefined,
        evidenceSha256: undefined,
        detail: { administrator: administrator.subject, role: administrator.role },
      });
    };
    try {
      const result = await make();
      await record({ outcome: 'granted', code: undefined });
      return { result, decisionId: id };
    } catch (error) {
      await record(outcomeOf(error));
      throw new DecidedError(id, error);
    }
  };
}

function outcomeOf(error: unknown): Pick<Decision, 'outcome' | 'code'> {
  if (!(error instanceof CodedError)) return { outcome: 'failed', code: 'INTERNAL_ERROR' };
  return { outcome: error instanceof CouldNotCheckError ? 'failed' : 'denied', code: String(error.code) };
}
