import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { readTdxEvidence } from '../../../../server/verifiers/tdx/evidence.ts';

const quote = 'AQID';

describe('readTdxEvidence', () => {
  it.each([
    ['no log', { quote }, undefined],
    ['a log that is null', { quote, cc_eventlog: null }, undefined],
    ['an empty log', { quote, cc_eventlog: '' }, undefined],
    ['a log', { quote, cc_eventlog: 'BAU=' }, [4, 5]],
    ['members that it does not know', { quote, aa_eventlog: 1 }, undefined],
  ])('reads a quote with %s', (_what, evidence, eventLog) => {
    const read = readTdxEvidence(evidence);
    expect([...read.quote]).toEqual([1, 2, 3]);
    expect(read.eventLog && [...read.eventLog]).toEqual(eventLog);
  });

  it('reads the largest quote and log', () => {
    const read = readTdxEvidence({ quote: base64Of(64 * 1024), cc_eventlog: base64Of(2 * 1024 * 1024) });
    expect(read.quote).toHaveLength(64 * 1024);
    expect(read.eventLog).toHaveLength(2 * 1024 * 1024);
  });

  it.each<[string, string, unknown]>([
    ['no quote', 'EVIDENCE_MALFORMED', {}],
    ['an empty quote', 'EVIDENCE_MALFORMED', { quote: '' }],
    ['a quote that is null', 'EVIDENCE_MALFORMED', { quote: null }],
    ['a quote of numbers', 'EVIDENCE_MALFORMED', { quote: [1, 2, 3] }],
    ['a log that is an object', 'EVIDENCE_MALFORMED', { quote, cc_eventlog: {} }],
    ['a quote that is too long', 'EVIDENCE_MALFORMED', { quote: base64Of(65 * 1024) }],
    ['a log that is too long', 'EVIDENCE_MALFORMED', { quote, cc_eventlog: base64Of(3 * 1024 * 1024) }],
    ['a quote in base64url', 'ENCODING_MALFORMED', { quote: '-_-_' }],
    ['a quote without padding', 'ENCODING_MALFORMED', { quote: 'AQ' }],
    ['a log that is not base64', 'ENCODING_MALFORMED', { quote, cc_eventlog: '****' }],
    ['null', 'EVIDENCE_MALFORMED', null],
    ['text', 'EVIDENCE_MALFORMED', quote],
    ['a list', 'EVIDENCE_MALFORMED', [quote]],
    ['nothing', 'EVIDENCE_MALFORMED', undefined],
  ])('refuses %s with %s', (_what, code, evidence) => {
    expect(() => readTdxEvidence(evidence)).toThrow(expect.objectContaining({ code }));
  });

  it('never throws a foreign error', () => {
    const anything = fc.anything({ withBigInt: true });
    fc.assert(
      fc.property(fc.oneof(fc.string(), anything), anything, (first, second) => {
        try {
          readTdxEvidence({ quote: first, cc_eventlog: second });
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });

  function base64Of(length: number): string {
    return Buffer.alloc(length, 7).toString('base64');
  }
});
