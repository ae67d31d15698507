import { describe, expect, it } from 'vitest';
import { createRecordAdminChange } from '../../../server/admin/admin-change.ts';
import type { Decision } from '../../../server/decisions/decision.ts';
import { createDecisionLog } from '../../../server/decisions/decision-log.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { DecidedError } from '../../../server/errors/decided-error.ts';

const AT = new Date('2026-11-23T12:00:00Z');
const CHANGE = { administrator: { subject: 'alice', role: 'admin' }, subject: 'policy set resource/x' };

function recorder(insert: (rows: readonly Decision[]) => Promise<void>) {
  return createRecordAdminChange(createDecisionLog(insert));
}

describe('createRecordAdminChange', () => {
  it('records a change once it is made', async () => {
    const rows: Decision[] = [];
    const record = recorder(async (some) => {
      rows.push(...some);
    });
    const { result, decisionId } = await record(CHANGE, async () => 'made', AT);
    expect(result).toBe('made');
    expect(rows).toMatchObject([
      {
        id: decisionId,
        kind: 'admin',
        outcome: 'granted',
        subject: CHANGE.subject,
        detail: { administrator: 'alice' },
      },
    ]);
  });

  it.each<[string, string, Error]>([
    ['denied', 'BAD', new CodedError('BAD', 'bad')],
    ['failed', 'STORAGE_UNAVAILABLE', new CouldNotCheckError('STORAGE_UNAVAILABLE', 'down')],
    ['failed', 'INTERNAL_ERROR', new Error('broken')],
  ])('records a change that was %s with %s', async (outcome, code, cause) => {
    const rows: Decision[] = [];
    const record = recorder(async (some) => {
      rows.push(...some);
    });
    const failed = record(CHANGE, async () => await Promise.reject(cause), AT);
    await expect(failed).rejects.toBeInstanceOf(DecidedError);
    await expect(failed).rejects.toMatchObject({ cause, decisionId: rows[0]?.id });
    expect(rows).toMatchObject([{ outcome, code }]);
  });

  it('does not say done when it could not be recorded', async () => {
    const record = recorder(async () => {
      await Promise.reject(new CouldNotCheckError('STORAGE_UNAVAILABLE', 'down'));
    });
    await expect(record(CHANGE, async () => 'made', AT)).rejects.toThrow();
  });
});
