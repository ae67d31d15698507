import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inspectEventLog } from '../../../server/cli/event-log.ts';
import { inspectTdxEvidence } from '../../../server/cli/tdx-evidence.ts';
import { fakeAaelRecord, fakeEventLog, fakeRegister } from '../../fakes/event-log-bytes.ts';
import { sharedFakeIntel } from '../../fakes/fake-intel.ts';

const separator = Buffer.alloc(4);
const extended = (algorithm: 'sha256' | 'sha384', initial = 0): string => {
  const digest = createHash(algorithm).update(separator).digest();
  return Buffer.from(fakeRegister(algorithm, [digest], initial)).toString('hex');
};

describe('inspectEventLog', () => {
  it('reads the events, and what the registers come to', () => {
    const bytes = fakeEventLog({ records: [{ index: 1 }, fakeAaelRecord('domain operation content')] });
    expect(inspectEventLog({ form: 'bytes', bytes })).toMatchObject({
      replayed_registers: { sha384: { 1: extended('sha384'), 4: expect.any(String) as string } },
      uefi_event_logs: [
        { index: 1, type_name: 'EV_SEPARATOR', digest_matches_event: true },
        { index: 4, details: { data: { domain: 'domain', operation: 'operation', content: 'content' } } },
      ],
    });
  });

  it('begins as a TPM does: with ones where a dynamic launch would come, and by each whole bank', () => {
    const bytes = fakeEventLog({
      algorithms: ['sha256', 'sha384'],
      records: [{ index: 17 }, { index: 0, algorithms: ['sha256'] }],
    });
    expect(inspectEventLog({ form: 'bytes', bytes })).toMatchObject({
      replayed_registers: { sha256: { 0: extended('sha256'), 17: extended('sha256', 0xff) } },
    });
    expect(inspectEventLog({ form: 'bytes', bytes })).not.toHaveProperty('replayed_registers.sha384');
  });

  it('reads a log without records', () => {
    const bytes = fakeEventLog({ records: [] });
    expect(inspectEventLog({ form: 'bytes', bytes })).toEqual({
      replayed_registers: {},
      uefi_event_logs: [],
    });
  });

  it('refuses what is none', () => {
    expect(() => inspectEventLog({ form: 'json', document: {} })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    );
    expect(() => inspectEventLog({ form: 'bytes', bytes: new Uint8Array(64) })).toThrow(
      expect.objectContaining({ code: 'EVENT_LOG_HEADER_MALFORMED' }),
    );
  });
});

describe('inspectTdxEvidence', () => {
  it('reads the event log beside the quote, or says why it cannot', async () => {
    const quote = Buffer.from(await (await sharedFakeIntel()).quote()).toString('base64');
    const inspect = (log: Uint8Array) =>
      inspectTdxEvidence({
        form: 'json',
        document: { quote, cc_eventlog: Buffer.from(log).toString('base64') },
      });
    expect(inspect(fakeEventLog())).toMatchObject({ uefi_event_logs: [{ index: 1 }] });
    expect(inspect(new Uint8Array(40))).toMatchObject({
      quote: { body: { mr_td: '7d'.repeat(48) } },
      event_log_error: { code: 'EVENT_LOG_HEADER_MALFORMED' },
    });
  });
});
