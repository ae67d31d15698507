import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseTpmSignature } from '../../../server/tpm/tpmt-signature.ts';
import { range, sized, u16 } from '../../fakes/tpm-quote.ts';

const bytes = new Uint8Array(256).fill(3);
const encode = (algorithm: number, hash: number, ...parts: Uint8Array[]): Uint8Array =>
  Buffer.concat([u16(algorithm), u16(hash), ...parts.map(sized)]);

describe('parseTpmSignature', () => {
  it('reads RSASSA, RSAPSS and ECDSA with each hash of SHA-2', () => {
    expect(parseTpmSignature(encode(0x14, 0x0b, bytes))).toEqual({
      scheme: 'rsassa',
      hash: 'sha256',
      signature: Buffer.from(bytes),
    });
    expect(parseTpmSignature(encode(0x16, 0x0c, bytes))).toMatchObject({ scheme: 'rsapss', hash: 'sha384' });
    expect(parseTpmSignature(encode(0x18, 0x0d, Uint8Array.of(1), Uint8Array.of(2, 3)))).toEqual({
      scheme: 'ecdsa',
      hash: 'sha512',
      r: Buffer.of(1),
      s: Buffer.of(2, 3),
    });
  });

  it.each([
    ['HMAC', 0x05, 0x0b],
    ['no signature', 0x10, 0x0b],
    ['ECDAA', 0x1a, 0x0b],
    ['SM2', 0x1b, 0x0b],
    ['EC Schnorr', 0x1c, 0x0b],
    ['algorithm 0x7777', 0x7777, 0x0b],
    ['SHA-1', 0x14, 0x04],
    ['algorithm 0x0012', 0x14, 0x12],
  ])('refuses %s by name', (name, algorithm, hash) => {
    expect(() => parseTpmSignature(encode(algorithm, hash, bytes))).toThrow(
      expect.objectContaining({
        code: 'SIGNATURE_ALGORITHM_UNSUPPORTED',
        message: expect.stringContaining(`got ${name}`) as unknown,
      }),
    );
  });

  it('refuses every truncation, and a byte more', () => {
    for (const signature of [
      encode(0x14, 0x0b, bytes),
      encode(0x18, 0x0b, bytes.subarray(0, 32), bytes.subarray(0, 32)),
    ]) {
      for (const length of range(0, signature.byteLength)) {
        expect(() => parseTpmSignature(signature.subarray(0, length))).toThrow(
          expect.objectContaining({ code: 'TRUNCATED' }),
        );
      }
      expect(() => parseTpmSignature(Buffer.concat([signature, Uint8Array.of(0)]))).toThrow(
        expect.objectContaining({ code: 'TRAILING_BYTES' }),
      );
    }
  });

  it('throws nothing but errors of ours', () => {
    const algorithm = fc.constantFrom(0x14, 0x16, 0x18, 0x1a);
    fc.assert(
      fc.property(algorithm, fc.uint8Array({ maxLength: 80 }), (scheme, rest) => {
        try {
          parseTpmSignature(Buffer.concat([u16(scheme), u16(0x0b), rest]));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
