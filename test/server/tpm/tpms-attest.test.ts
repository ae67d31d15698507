import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseQuoteAttestation } from '../../../server/tpm/tpms-attest.ts';
import { encodeFakeAttestation, type FakeQuoteOptions, range } from '../../fakes/tpm-quote.ts';

const nonce = new Uint8Array(48).fill(7);
const pcrDigest = new Uint8Array(32).fill(9);

describe('parseQuoteAttestation', () => {
  it('reads every field', () => {
    expect(parseQuoteAttestation(encodeFakeAttestation({ extraData: nonce, pcrDigest }))).toMatchObject({
      qualifiedSigner: Buffer.from(`000b${'5a'.repeat(32)}`, 'hex'),
      extraData: Buffer.from(nonce),
      clock: 4711n,
      resetCount: 2,
      restartCount: 1,
      isClockSafe: true,
      firmwareVersion: 0x20240101_00120000n,
      selection: [{ bank: 'sha256', indices: range(0, 24) }],
      pcrDigest: Buffer.from(pcrDigest),
    });
    expect(parseQuoteAttestation(encodeFakeAttestation({ safe: 0 })).isClockSafe).toBe(false);
  });

  it.each<[string, FakeQuoteOptions, string]>([
    ['what no TPM made', { magic: 0x00544347 }, 'QUOTE_MAGIC_MISMATCH'],
    ['a magic in the other byte order', { magic: 0x474354ff }, 'QUOTE_MAGIC_MISMATCH'],
    ['a certification (0x8017)', { type: 0x8017 }, 'QUOTE_TYPE_MISMATCH'],
    ['a clock that is neither safe nor not', { safe: 2 }, 'QUOTE_MALFORMED'],
    ['a bank of SM3', { selection: [{ algorithm: 0x0012, indices: [0] }] }, 'PCR_BANK_UNSUPPORTED'],
  ])('refuses %s', (_what, options, code) => {
    expect(() => parseQuoteAttestation(encodeFakeAttestation(options))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('refuses every truncation, and a byte more', () => {
    const bytes = encodeFakeAttestation({ extraData: nonce, pcrDigest });
    for (const length of range(0, bytes.byteLength)) {
      expect(() => parseQuoteAttestation(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
    expect(() => parseQuoteAttestation(Buffer.concat([bytes, Uint8Array.of(0)]))).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES' }),
    );
  });

  it('throws nothing but errors of ours', () => {
    const genuine = encodeFakeAttestation({ extraData: nonce });
    fc.assert(
      fc.property(
        fc.nat(genuine.byteLength - 1),
        fc.nat(255),
        fc.uint8Array({ maxLength: 64 }),
        (at, byte, tail) => {
          const bytes = Buffer.concat([Uint8Array.from(genuine).fill(byte, at, at + 1), tail]);
          try {
            parseQuoteAttestation(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        },
      ),
    );
  });
});
