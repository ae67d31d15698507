import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { readSgxEvidence } from '../../../../server/verifiers/sgx/evidence.ts';

describe('readSgxEvidence', () => {
  it('reads the quote and ignores members that it does not know', () => {
    expect([...readSgxEvidence({ quote: 'AQID', more: 1 })]).toEqual([1, 2, 3]);
  });

  it('reads the largest quote', () => {
    expect(readSgxEvidence({ quote: base64Of(64 * 1024) })).toHaveLength(64 * 1024);
  });

  it.each<[string, string, unknown]>([
    ['no quote', 'EVIDENCE_MALFORMED', {}],
    ['an empty quote', 'EVIDENCE_MALFORMED', { quote: '' }],
    ['a quote that is null', 'EVIDENCE_MALFORMED', { quote: null }],
    ['a quote of numbers', 'EVIDENCE_MALFORMED', { quote: [1, 2, 3] }],
    ['a quote that is too long', 'EVIDENCE_MALFORMED', { quote: base64Of(65 * 1024) }],
    ['a quote in base64url', 'ENCODING_MALFORMED', { quote: '-_-_' }],
    ['a quote without padding', 'ENCODING_MALFORMED', { quote: 'AQ' }],
    ['null', 'EVIDENCE_MALFORMED', null],
    ['text', 'EVIDENCE_MALFORMED', 'AQID'],
    ['nothing', 'EVIDENCE_MALFORMED', undefined],
  ])('refuses %s with %s', (_what, code, evidence) => {
    expect(() => readSgxEvidence(evidence)).toThrow(expect.objectContaining({ code }));
  });

  it('never throws a foreign error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.anything({ withBigInt: true })), (quote) => {
        try {
          readSgxEvidence({ quote });
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
