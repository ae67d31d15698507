import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ccEventLog } from '../../../../../agent/attestation-agent/attesters/tdx/cc-event-log.ts';
import { logRecord } from '../../../../../agent/attestation-agent/event-log/aael-event.ts';
import { CodedError } from '../../../../../server/errors/coded-error.ts';
import { parseEventLog } from '../../../../../server/event-log/event-log.ts';
import { type FakeLog, fakeEventLog, fakeRecord } from '../../../../fakes/event-log-bytes.ts';

const records: FakeLog['records'] = [
  { index: 1, event: 'boot' },
  { index: 3, type: 0xd, event: Buffer.alloc(40, 0xff) },
  { index: 2, event: Buffer.alloc(40) },
];
const firmware = fakeEventLog({ records });
const ours = logRecord(4, 'domain operation content', 'sha384');
const end = Buffer.alloc(8, 0xff);

describe('ccEventLog', () => {
  it.each([
    ['nothing', [0, 0]],
    ['a mark of ff', [8, 0xff]],
    ['ff to the end of its area', [60_000, 0xff]],
    ['zeros to the end of its area', [60_000, 0x00]],
    ['less than a mark', [3, 0x00]],
  ] as const)('has the records of the firmware, whose log ends with %s, and then ours', (_what, padding) => {
    const log = ccEventLog(fakeEventLog({ records, padding }), ours);
    expect(log).toEqual(Buffer.concat([firmware, ours, end]));
    expect(parseEventLog(log!).records.map(({ index }) => index)).toEqual([1, 3, 2, 4]);
  });

  it('ends the firmware’s log at its mark, whatever lies behind it', () => {
    const area = fakeEventLog({ records, padding: [8, 0xff], behind: fakeRecord({ index: 2 }) });
    expect(ccEventLog(area, undefined)).toEqual(Buffer.concat([firmware, end]));
  });

  it('begins with a header of its own where there is no firmware’s log', () => {
    const log = ccEventLog(undefined, ours);
    expect(Buffer.from(log!).toString('hex')).toBe(
      `0000000003000000${'00'.repeat(20)}25000000${'00'.repeat(16)}0000000000000000020000000c0030001200200000${Buffer.from(ours).toString('hex')}${'ff'.repeat(8)}`,
    );
    expect(parseEventLog(log!).records).toHaveLength(1);
  });

  it.each([
    ['neither', undefined, undefined],
    ['an area that nobody has written to, and no log', new Uint8Array(65_536), undefined],
    ['an empty area and an empty log', new Uint8Array(), new Uint8Array()],
  ])('is none where there is %s', (_what, area, log) => {
    expect(ccEventLog(area, log)).toBeUndefined();
  });

  it.each([
    ['a record that breaks off', firmware.subarray(0, -1)],
    ['digests of SHA-1', fakeEventLog({ algorithms: ['sha1'] })],
    ['more digests than there are algorithms', fakeEventLog({ records: [{ digestCount: 5 }] })],
    ['half a header', firmware.subarray(0, 30)],
  ])('refuses %s', (_what, area) => {
    expect(() => ccEventLog(area, ours)).toThrow(expect.objectContaining({ code: 'FIRMWARE_LOG_MALFORMED' }));
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: firmware.byteLength }), (bytes, kept) => {
        try {
          ccEventLog(Buffer.concat([firmware.subarray(0, kept), bytes]), undefined);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
