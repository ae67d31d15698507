import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { eventLogClaims } from '../../../server/event-log/event-claims.ts';
import { parseEventLog } from '../../../server/event-log/event-log.ts';
import { replay } from '../../../server/event-log/replay.ts';
import { type FakeLog, type FakeRecord, fakeEventLog, fakeRecord } from '../../fakes/event-log-bytes.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const three: FakeLog = { records: [{ index: 1 }, { index: 2, type: 5, event: 'action' }, { index: 4 }] };

describe('parseEventLog', () => {
  it('reads records in their order, without the first', () => {
    const { records } = parseEventLog(fakeEventLog({ ...three, vendorInfo: Buffer.from('td-shim') }));
    expect(records.map(({ index, type }) => [index, type])).toEqual([
      [1, 4],
      [2, 5],
      [4, 4],
    ]);
    expect(Buffer.from(records[1]!.event).toString()).toBe('action');
  });

  it('reads digests of every algorithm', () => {
    const algorithms = ['sha1', 'sha256', 'sha384', 'sha512', 'sm3'] as const;
    const { records } = parseEventLog(fakeEventLog({ algorithms }));
    expect(records[0]?.digests.map(({ algorithm, digest }) => [algorithm.name, digest.byteLength])).toEqual([
      ['SHA-1', 20],
      ['SHA-256', 32],
      ['SHA-384', 48],
      ['SHA-512', 64],
      ['SM3', 32],
    ]);
  });

  it('reads records that carry some of the algorithms only', () => {
    const log = fakeEventLog({ algorithms: ['sha256', 'sha384'], records: [{ algorithms: ['sha384'] }] });
    expect(parseEventLog(log).records[0]?.digests).toHaveLength(1);
  });

  it.each([
    ['nothing', 0, 0],
    ['one byte', 1, 0x00],
    ['seven bytes', 7, 0xff],
    ['eight bytes', 8, 0xff],
    ['zeros to the end', 60_000, 0x00],
    ['ff to the end', 60_000, 0xff],
  ])('ends at %s', (_what, length, value) => {
    expect(parseEventLog(fakeEventLog({ ...three, padding: [length, value] })).records).toHaveLength(3);
  });

  it('reads a log whose first event has a blank signature, as guests write it that begin one themselves', () => {
    const log = fakeEventLog({ ...three, signature: '\0'.repeat(16) });
    expect(parseEventLog(log).records).toHaveLength(3);
  });

  it('takes a record of register 0 and type 0 for what it is', () => {
    const log = fakeEventLog({ records: [{ index: 0, type: 0 }, { index: 1 }], padding: [64, 0] });
    expect(parseEventLog(log).records.map(({ index }) => index)).toEqual([0, 1]);
  });

  it.each<[string, string, FakeLog]>([
    ['a first event of another type', 'EVENT_LOG_HEADER_MALFORMED', { headerType: 4 }],
    ['another signature', 'EVENT_LOG_HEADER_MALFORMED', { signature: 'Spec ID Event02\0' }],
    ['a signature of blanks', 'EVENT_LOG_HEADER_MALFORMED', { signature: ' '.repeat(16) }],
    ['a table without algorithms', 'EVENT_LOG_HEADER_MALFORMED', { table: [] }],
    ['a digest that is too short for its algorithm', 'EVENT_LOG_HEADER_MALFORMED', { table: [[0xc, 32]] }],
    ['a digest of no bytes', 'EVENT_LOG_HEADER_MALFORMED', { table: [[0xc, 0]] }],
    [
      'an algorithm twice',
      'EVENT_LOG_HEADER_MALFORMED',
      {
        table: [
          [0xc, 48],
          [0xc, 48],
        ],
      },
    ],
    ['RSA for a digest', 'EVENT_LOG_ALGORITHM_UNSUPPORTED', { table: [[1, 20]] }],
    ['an unknown algorithm', 'EVENT_LOG_ALGORITHM_UNSUPPORTED', { table: [[0x27, 32]] }],
    ['fewer algorithms than counted', 'TRUNCATED', { algorithmCount: 2 }],
    ['more algorithms than counted', 'TRUNCATED', { algorithms: ['sha384', 'sha256'], algorithmCount: 1 }],
    ['four billion algorithms', 'TRUNCATED', { algorithmCount: 0xffff_ffff }],
    ['vendor information that is too short', 'TRUNCATED', { vendorInfoSize: 1 }],
    ['bytes behind the vendor information', 'TRAILING_BYTES', { headerExtra: Uint8Array.of(0) }],
    ['a first event beyond the end', 'TRUNCATED', { headerSize: 0xffff_ffff }],
    ['garbage behind zeros', 'EVENT_LOG_TRAILING_BYTES', { padding: [4096, 0], behind: Uint8Array.of(1) }],
    ['garbage behind ff', 'EVENT_LOG_TRAILING_BYTES', { padding: [4096, 0xff], behind: Uint8Array.of(0) }],
    ['ff behind zeros', 'EVENT_LOG_TRAILING_BYTES', { padding: [12, 0], behind: Buffer.alloc(64, 0xff) }],
    ['records behind zeros', 'EVENT_LOG_TRAILING_BYTES', { padding: [12, 0], behind: fakeRecord({}) }],
    ['other bytes than padding', 'TRUNCATED', { behind: Uint8Array.of(1, 2, 3) }],
  ])('refuses %s with %s', (_what, expected, log) => {
    expect(() => parseEventLog(fakeEventLog(log))).toThrow(code(expected));
  });

  it.each<[string, string, FakeRecord]>([
    ['no digest', 'EVENT_LOG_DIGESTS_MALFORMED', { algorithms: [] }],
    ['more digests than algorithms', 'EVENT_LOG_DIGESTS_MALFORMED', { digestCount: 3 }],
    ['four billion digests', 'EVENT_LOG_DIGESTS_MALFORMED', { digestCount: 0xffff_ffff }],
    ['two digests of one algorithm', 'EVENT_LOG_DIGESTS_MALFORMED', { algorithms: ['sha384', 'sha384'] }],
    ['a digest of another algorithm', 'EVENT_LOG_DIGESTS_MALFORMED', { algorithmId: 0xd }],
    ['a digest of an unknown algorithm', 'EVENT_LOG_DIGESTS_MALFORMED', { algorithmId: 0x99 }],
    ['an event beyond the end', 'TRUNCATED', { eventSize: 5 }],
    ['an event of four gigabytes', 'TRUNCATED', { eventSize: 0xffff_ffff }],
  ])('refuses a record with %s: %s', (_what, expected, record) => {
    const log = fakeEventLog({
      algorithms: ['sha256', 'sha384'],
      records: [{ algorithms: ['sha384'], ...record }],
    });
    expect(() => parseEventLog(log)).toThrow(code(expected));
  });

  it('counts records, and the bytes of records', () => {
    const records = (count: number, event = ''): FakeRecord[] =>
      Array.from({ length: count }, () => ({ event }));
    expect(parseEventLog(fakeEventLog({ records: records(2048) })).records).toHaveLength(2048);
    expect(() => parseEventLog(fakeEventLog({ records: records(2049) }))).toThrow(
      code('EVENT_LOG_TOO_LARGE'),
    );
    expect(() => parseEventLog(fakeEventLog({ records: records(9, 'x'.repeat(65_536)) }))).toThrow(
      code('EVENT_LOG_TOO_LARGE'),
    );
    expect(parseEventLog(fakeEventLog({ records: records(1), padding: [1 << 20, 0] })).records).toHaveLength(
      1,
    );
  });

  it('refuses a log that is cut anywhere but between records', () => {
    const whole = fakeEventLog(three);
    const ends = [1, 2, 3].map(
      (count) => fakeEventLog({ records: three.records!.slice(0, count) }).byteLength,
    );
    const empty = fakeEventLog({ records: [] }).byteLength;
    for (let length = 0; length <= whole.byteLength; length++) {
      const parse = (): unknown => parseEventLog(whole.subarray(0, length));
      if (length === empty || ends.includes(length)) expect(parse).not.toThrow();
      else expect(parse, `${length}`).toThrow(code('TRUNCATED'));
    }
  });

  it('never throws a foreign error, and what it reads can be replayed and shown', () => {
    const record = fc.record({
      index: fc.integer({ min: 0, max: 5 }),
      type: fc.oneof(fc.integer({ min: 0, max: 0x13 }), fc.integer({ min: 0x8000_0000, max: 0x8000_00e3 })),
      event: fc.uint8Array({ maxLength: 80 }),
    });
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), flips, fc.uint8Array(), (records, changes, behind) => {
        const bytes = Uint8Array.from(fakeEventLog({ records, behind }));
        for (const [at, bits] of changes) bytes[at % bytes.byteLength]! ^= bits;
        try {
          const log = parseEventLog(bytes);
          expect(eventLogClaims(log)).toHaveLength(log.records.length);
          replay(log, 'sha384');
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never throws a foreign error for bytes without form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseEventLog(bytes)).toThrow(CodedError);
      }),
    );
  });
});
