import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { readAzureEvidence, readBytes, readVtpmQuote } from '../../../server/tpm/azure-evidence.ts';

const HEX_QUOTE = { message: 'FF00', signature: 'aabb', pcrs: ['00'.repeat(32)] };
const ARRAY_QUOTE = {
  message: [255, 0],
  signature: [0xaa, 0xbb],
  pcrs: [Array.from({ length: 32 }, () => 0)],
};

describe('readAzureEvidence', () => {
  it.each([
    [{ version: 2 }, 2],
    [{ version: 1 }, 1],
    [{}, 0],
  ])('tells the version of %j', (evidence, version) => {
    expect(readAzureEvidence(evidence).version).toBe(version);
  });

  it.each([3, '2', null, -1, 1.5])('refuses version %j', (version) => {
    expect(() => readAzureEvidence({ version })).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_VERSION_UNSUPPORTED' }),
    );
  });

  it.each([[null], [[]], ['text'], [7], [undefined]])('refuses %j', (evidence) => {
    expect(() => readAzureEvidence(evidence)).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
  });
});

describe('readVtpmQuote', () => {
  const expected = {
    message: Buffer.of(255, 0),
    signature: { scheme: 'rsassa', hash: 'sha256', signature: Buffer.of(0xaa, 0xbb) },
    pcrValues: [Buffer.alloc(32)],
  };

  it('reads hex from version 1 on, arrays of numbers before', () => {
    expect(readVtpmQuote(HEX_QUOTE, 'tpm_quote', 1)).toEqual(expected);
    const { message, pcrValues } = readVtpmQuote(ARRAY_QUOTE, 'quote', 0);
    expect(message).toEqual(Uint8Array.of(255, 0));
    expect(pcrValues).toEqual([new Uint8Array(32)]);
  });

  it.each<[string, unknown, 0 | 1]>([
    ['no quote', undefined, 1],
    ['hex in version 0', HEX_QUOTE, 0],
    ['arrays in version 1', ARRAY_QUOTE, 1],
    ['no message', { ...HEX_QUOTE, message: undefined }, 1],
    ['an odd number of digits', { ...HEX_QUOTE, message: 'fff' }, 1],
    ['a message of 1025 bytes', { ...HEX_QUOTE, message: '00'.repeat(1025) }, 1],
    ['no values', { ...HEX_QUOTE, pcrs: {} }, 1],
    ['129 values', { ...HEX_QUOTE, pcrs: Array.from({ length: 129 }, () => '00') }, 1],
    ['a value of 65 bytes', { ...HEX_QUOTE, pcrs: ['00'.repeat(65)] }, 1],
    ['256 as a byte', { ...ARRAY_QUOTE, message: [256] }, 0],
    ['half a byte', { ...ARRAY_QUOTE, message: [0.5] }, 0],
    ['a text as a byte', { ...ARRAY_QUOTE, message: ['1'] }, 0],
    ['1025 numbers', { ...ARRAY_QUOTE, message: Array.from({ length: 1025 }, () => 0) }, 0],
  ])('refuses %s', (_what, quote, version) => {
    expect(() => readVtpmQuote(quote, 'quote', version)).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
  });
});

describe('readBytes', () => {
  it('reads base64url with and without padding', () => {
    expect(readBytes('_-8=', 'x', 1, 8)).toEqual(Buffer.of(0xff, 0xef));
    expect(readBytes('_-8', 'x', 2, 8)).toEqual(Buffer.of(0xff, 0xef));
    expect(readBytes('_w==', 'x', 2, 8)).toEqual(Buffer.of(0xff));
    expect(readBytes([1, 2], 'x', 0, 8)).toEqual(Uint8Array.of(1, 2));
  });

  it.each(['/+8=', '_-8==', '_-9=', '_=8=', '====', '_', 'AAAAAAAAAAAAA'])('refuses %j', (text) => {
    expect(() => readBytes(text, 'x', 1, 8)).toThrow(expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }));
  });

  it('throws nothing but errors of ours, whatever JSON it gets', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom<0 | 1 | 2>(0, 1, 2), (value, version) => {
        for (const read of [
          () => readBytes(value, 'x', version, 64),
          () => readVtpmQuote(value, 'x', version),
          () => readVtpmQuote({ message: value, signature: value, pcrs: [value] }, 'x', version),
          () => readAzureEvidence(value),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        }
      }),
    );
  });
});
