import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { toAttestationKey } from '../../../server/tpm/attestation-key.ts';
import {
  type ProvenQuote,
  sha256Pcrs,
  type TpmQuote,
  verifyQuote,
} from '../../../server/tpm/quote-verification.ts';
import { parseTpmSignature } from '../../../server/tpm/tpmt-signature.ts';
import {
  createFakeAk,
  type FakeKeyPair,
  type FakeQuoteOptions,
  fakePcrs,
  fakeQuote,
  range,
  SHA256_BANK,
} from '../../fakes/tpm-quote.ts';

const ak = createFakeAk();
const other = createFakeAk();
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });

function quoteOf(key: KeyObject, options: FakeQuoteOptions = {}): TpmQuote {
  const { message, signature, values } = fakeQuote(key, options);
  return { message, signature: parseTpmSignature(signature), pcrValues: values };
}

async function prove(quote: TpmQuote, { publicKey }: FakeKeyPair = ak): Promise<ProvenQuote> {
  return await verifyQuote(quote, toAttestationKey(publicKey));
}

describe('verifyQuote', () => {
  it.each<[string, FakeKeyPair, FakeQuoteOptions]>([
    ['RSASSA with SHA-256', ak, {}],
    ['RSASSA with SHA-384', ak, { hash: 'sha384' }],
    ['RSASSA with SHA-512', ak, { hash: 'sha512' }],
    ['RSAPSS with SHA-256', ak, { scheme: 'rsapss' }],
    ['ECDSA on P-256', p256, { scheme: 'ecdsa' }],
    ['ECDSA on P-384', p384, { scheme: 'ecdsa', hash: 'sha384' }],
  ])('proves a quote signed by %s', async (_what, key, options) => {
    const proven = await prove(quoteOf(key.privateKey, options), key);
    expect([...sha256Pcrs(proven)]).toEqual(fakePcrs().map((value, index) => [index, value]));
  });

  it.each<[string, FakeQuoteOptions, string]>([
    ['a signature by another key', { signer: other.privateKey }, 'SIGNATURE_INVALID'],
    ['what no TPM made', { magic: 0xff544348 }, 'QUOTE_MAGIC_MISMATCH'],
    ['another kind of attestation', { type: 0x8014 }, 'QUOTE_TYPE_MISMATCH'],
    ['another digest', { pcrDigest: new Uint8Array(32) }, 'PCR_DIGEST_MISMATCH'],
    ['an empty selection', { selection: [], values: [] }, 'PCR_SELECTION_MISMATCH'],
    [
      'a selection of other PCRs than values',
      { selection: [{ algorithm: SHA256_BANK, indices: range(0, 23) }] },
      'PCR_SELECTION_MISMATCH',
    ],
    [
      'a selection of another bank',
      { selection: [{ algorithm: 0x0c, indices: range(0, 24) }] },
      'PCR_SELECTION_MISMATCH',
    ],
  ])('refuses %s', async (_what, options, code) => {
    await expect(prove(quoteOf(ak.privateKey, options))).rejects.toMatchObject({ code });
  });

  it('refuses an RSA signature for an elliptic key, and the other way round', async () => {
    await expect(prove(quoteOf(ak.privateKey), p256)).rejects.toMatchObject({
      code: 'SIGNATURE_ALGORITHM_UNSUPPORTED',
    });
    await expect(prove(quoteOf(p256.privateKey, { scheme: 'ecdsa' }))).rejects.toMatchObject({
      code: 'SIGNATURE_ALGORITHM_UNSUPPORTED',
    });
  });

  it('refuses scalars that are longer than the curve, and scalars of nothing', async () => {
    const quote = quoteOf(p256.privateKey, { scheme: 'ecdsa' });
    const with_ = (r: Uint8Array, s: Uint8Array): TpmQuote => ({
      ...quote,
      signature: { scheme: 'ecdsa', hash: 'sha256', r, s },
    });
    const scalar = new Uint8Array(33).fill(1);
    await expect(prove(with_(scalar, scalar.subarray(1)), p256)).rejects.toMatchObject({
      code: 'SIGNATURE_MALFORMED',
    });
    await expect(prove(with_(new Uint8Array(), new Uint8Array()), p256)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('asks for the SHA-256 bank where claims are made', async () => {
    const selection = [{ algorithm: 0x0c, indices: [0] }];
    const values = [new Uint8Array(48)];
    const proven = await prove(quoteOf(ak.privateKey, { selection, values }));
    expect(() => sha256Pcrs(proven)).toThrow(expect.objectContaining({ code: 'PCR_BANK_UNSUPPORTED' }));
  });

  it('never verifies with a flipped bit in what was signed or in the signature', async () => {
    const quote = quoteOf(ak.privateKey);
    if (quote.signature.scheme === 'ecdsa') throw new Error('expected RSA');
    const { signature } = quote.signature;
    const flipped = (bytes: Uint8Array, bit: number): Uint8Array =>
      Uint8Array.from(bytes, (byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * quote.message.byteLength - 1), async (bit) => {
        const broken = prove({ ...quote, message: flipped(quote.message, bit) });
        await expect(broken).rejects.toBeInstanceOf(CodedError);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * signature.byteLength - 1), async (bit) => {
        const changed = { ...quote.signature, signature: flipped(signature, bit) } as TpmQuote['signature'];
        await expect(prove({ ...quote, signature: changed })).rejects.toMatchObject({
          code: 'SIGNATURE_INVALID',
        });
      }),
    );
  });
});
