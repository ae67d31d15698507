import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseEventLog } from '../../../server/event-log/event-log.ts';
import { replay, verifyReplay } from '../../../server/event-log/replay.ts';
import { type FakeLog, fakeEventLog, fakeRegister } from '../../fakes/event-log-bytes.ts';

const digest = (event: string, algorithm = 'sha384'): Uint8Array =>
  createHash(algorithm).update(event).digest();
const zeros = Buffer.alloc(48);
const log = (records: FakeLog['records']): ReturnType<typeof parseEventLog> =>
  parseEventLog(fakeEventLog({ records: records ?? [] }));

const boot = log([
  { index: 1, event: 'a' },
  { index: 2, event: 'b' },
  { index: 1, event: 'c' },
]);
const registers = new Map<number, Uint8Array>([
  [1, fakeRegister('sha384', [digest('a'), digest('c')])],
  [2, fakeRegister('sha384', [digest('b')])],
  [3, zeros],
]);

describe('replay', () => {
  it.each(['sha256', 'sha384', 'sha512', 'sm3'] as const)(
    'extends registers of %s in the order of the log',
    (algorithm) => {
      const both = parseEventLog(
        fakeEventLog({ algorithms: ['sha1', algorithm], records: [{ event: 'a' }, { event: 'b' }] }),
      );
      const expected = fakeRegister(algorithm, [digest('a', algorithm), digest('b', algorithm)]);
      expect(replay(both, algorithm)).toEqual(new Map([[1, expected]]));
    },
  );

  it('leaves EV_NO_ACTION out', () => {
    const informed = log([
      { index: 1, event: 'a' },
      { index: 1, type: 3, event: 'info' },
      { index: 0, type: 3 },
    ]);
    expect(replay(informed, 'sha384')).toEqual(new Map([[1, fakeRegister('sha384', [digest('a')])]]));
  });

  it('starts at the value that it is given', () => {
    const initialValues = new Map([[17, Buffer.alloc(48, 0xff)]]);
    const launched = log([{ index: 17, event: 'a' }]);
    const expected = fakeRegister('sha384', [digest('a')], 0xff);
    expect(replay(launched, 'sha384', initialValues)).toEqual(new Map([[17, expected]]));
  });

  it('refuses a log without digests of the algorithm', () => {
    const mixed = parseEventLog(
      fakeEventLog({ algorithms: ['sha256', 'sha384'], records: [{}, { algorithms: ['sha256'] }] }),
    );
    expect(() => replay(mixed, 'sha384')).toThrow(
      expect.objectContaining({ code: 'EVENT_LOG_DIGEST_MISSING' }),
    );
    expect(() => replay(boot, 'sm3')).toThrow(expect.objectContaining({ code: 'EVENT_LOG_DIGEST_MISSING' }));
  });
});

describe('verifyReplay', () => {
  it('accepts what was measured', () => {
    expect(() => {
      verifyReplay(boot, 'sha384', registers);
    }).not.toThrow();
  });

  it('accepts an empty log where nothing was measured', () => {
    expect(() => {
      verifyReplay(log([]), 'sha384', new Map([[1, zeros]]));
    }).not.toThrow();
  });

  it('names every register that differs, with both values', () => {
    const expected = new Map([...registers, [1, zeros], [3, Buffer.alloc(48, 1)]] as [number, Uint8Array][]);
    expect(() => {
      verifyReplay(boot, 'sha384', expected);
    }).toThrow(
      expect.objectContaining({
        code: 'EVENT_LOG_REPLAY_MISMATCH',
        message: expect.stringMatching(
          /register 1: calculated [0-9a-f]{96}, given 0{96}; register 3: calculated 0{96}, given (01){48}$/,
        ) as string,
      }),
    );
  });

  it.each<[string, ReadonlyMap<number, Uint8Array>]>([
    ['a register cut short', new Map([...registers, [2, registers.get(2)!.subarray(0, 32)]])],
    ['a register of no bytes', new Map([...registers, [3, new Uint8Array()]])],
    ['a register without records that is not zeros', new Map([...registers, [4, Buffer.alloc(48, 1)]])],
  ])('refuses %s', (_what, expected) => {
    expect(() => {
      verifyReplay(boot, 'sha384', expected);
    }).toThrow(expect.objectContaining({ code: 'EVENT_LOG_REPLAY_MISMATCH' }));
  });

  it('holds a register without records against its initial value', () => {
    const ones = Buffer.alloc(48, 0xff);
    const verify = (initial: Uint8Array) => () => {
      verifyReplay(log([]), 'sha384', new Map([[17, ones]]), { initialValues: new Map([[17, initial]]) });
    };
    expect(verify(ones)).not.toThrow();
    expect(verify(zeros)).toThrow(expect.objectContaining({ code: 'EVENT_LOG_REPLAY_MISMATCH' }));
  });

  it('refuses records that no register proves, unless told', () => {
    const stray = log([{ index: 0, event: 'x' }]);
    const verify = (unprovenIndexes?: ReadonlySet<number>) => () => {
      verifyReplay(stray, 'sha384', new Map([[1, zeros]]), unprovenIndexes && { unprovenIndexes });
    };
    expect(verify()).toThrow(
      expect.objectContaining({
        code: 'EVENT_LOG_REGISTER_UNKNOWN',
        message: 'expected records of registers 1, got some of 0',
      }),
    );
    expect(verify(new Set([5]))).toThrow(expect.objectContaining({ code: 'EVENT_LOG_REGISTER_UNKNOWN' }));
    expect(verify(new Set([0]))).not.toThrow();
  });

  it('accepts information about any register', () => {
    expect(() => {
      verifyReplay(log([{ index: 9, type: 3 }]), 'sha384', new Map([[1, zeros]]));
    }).not.toThrow();
  });

  it('never verifies a log with a flipped bit in an index, a digest or the order', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const start = fakeEventLog({ records: [] }).byteLength;
        const bytes = Uint8Array.from(fakeEventLog({ records: [{ index: 1, event: 'a' }] }));
        // Index, and digest behind the type, the count and the algorithm.
        const offsets = [0, 1, 2, 3, ...Array.from({ length: 48 }, (_, index) => 14 + index)];
        bytes[start + offsets[at % offsets.length]!]! ^= 1 << bit;
        expect(() => {
          verifyReplay(parseEventLog(bytes), 'sha384', new Map([[1, fakeRegister('sha384', [digest('a')])]]));
        }).toThrow(CodedError);
      }),
    );
    const swapped = log([{ event: 'c' }, { index: 2, event: 'b' }, { event: 'a' }]);
    expect(() => {
      verifyReplay(swapped, 'sha384', registers);
    }).toThrow(expect.objectContaining({ code: 'EVENT_LOG_REPLAY_MISMATCH' }));
  });
});
