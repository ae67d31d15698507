import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { MAX_QUOTE_BYTES, parseQuote } from '../../../server/intel-dcap/quote.ts';
import { type FakeIntel, type FakeQuoteOptions, sharedFakeIntel } from '../../fakes/fake-intel.ts';
import { filled, INTEL_QE_VENDOR } from '../../fakes/quote-bytes.ts';

/** Where the body begins, and behind it the signature data. */
const BODY = 48;
const TD_10_END = BODY + 584;

let intel: FakeIntel;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

async function bytesOf(
  options: FakeQuoteOptions,
  mutate: (view: DataView) => void = () => undefined,
): Promise<Uint8Array> {
  const bytes = Uint8Array.from(await intel.quote(options));
  mutate(new DataView(bytes.buffer));
  return bytes;
}

describe('parseQuote', () => {
  it('reads version 3', async () => {
    const bytes = await bytesOf({ version: 3 });
    const quote = parseQuote(bytes);
    expect(quote.header).toMatchObject({
      version: 3,
      tee: 'sgx',
      attestationKeyType: 2,
      qeSvn: 8,
      pceSvn: 13,
    });
    expect(quote.body.kind).toBe('sgx');
    expect(quote.descriptor).toBeUndefined();
    expect([...quote.signedBytes]).toEqual([...bytes.subarray(0, BODY + 384)]);
  });

  it('reads version 4', async () => {
    const bytes = await bytesOf({ header: { qeSvn: 0x0102, pceSvn: 0x0304 } });
    const quote = parseQuote(bytes);
    expect(quote.header).toMatchObject({ version: 4, tee: 'tdx', attestationKeyType: 2 });
    expect([...quote.header.teeType]).toEqual([0x81, 0, 0, 0]);
    expect([...quote.header.reserved]).toEqual([2, 1, 4, 3]);
    expect([...quote.header.qeVendorId]).toEqual([...INTEL_QE_VENDOR]);
    expect([...quote.header.userData.subarray(0, 3)]).toEqual([0xd0, 0xd1, 0]);
    expect(quote.header.userData.byteLength).toBe(20);
    expect(quote.body.kind).toBe('td-1.0');
    expect([...quote.signedBytes]).toEqual([...bytes.subarray(0, TD_10_END)]);
  });

  it.each([
    ['td-1.0', 2, 584],
    ['td-1.5', 3, 648],
  ] as const)('reads version 5 with a %s body', async (body, type, size) => {
    const bytes = await bytesOf({ version: 5, body });
    const quote = parseQuote(bytes);
    expect(quote.body.kind).toBe(body);
    expect(quote.descriptor).toEqual({ type, size });
    expect([...quote.signedBytes]).toEqual([...bytes.subarray(0, BODY + 6 + size)]);
  });

  it.each([3, 4, 5] as const)('reads the signature data of version %i', async (version) => {
    const parts = {
      signature: filled(64, 1),
      attestationKey: filled(64, 2),
      qeReportSignature: filled(64, 3),
      authenticationData: filled(5, 4),
      certificationData: filled(7, 5),
    };
    const { signatureData } = parseQuote(await bytesOf({ version, signatureData: parts }));
    expect(Buffer.from(signatureData.signature)).toEqual(Buffer.from(parts.signature));
    expect(Buffer.from(signatureData.attestationKey)).toEqual(Buffer.from(parts.attestationKey));
    expect(Buffer.from(signatureData.qeReportSignature)).toEqual(Buffer.from(parts.qeReportSignature));
    expect(Buffer.from(signatureData.authenticationData)).toEqual(Buffer.from(parts.authenticationData));
    expect(Buffer.from(signatureData.pckChain)).toEqual(Buffer.from(parts.certificationData));
    expect(signatureData.qeReport.isvSvn).toBe(8);
  });

  it.each<[string, string, FakeQuoteOptions]>([
    ['version 0', 'QUOTE_VERSION_UNSUPPORTED', { header: { version: 0 } }],
    ['version 2', 'QUOTE_VERSION_UNSUPPORTED', { header: { version: 2 } }],
    ['version 6', 'QUOTE_VERSION_UNSUPPORTED', { header: { version: 6 } }],
    ['version 0x104', 'QUOTE_VERSION_UNSUPPORTED', { header: { version: 0x104 } }],
    ['a TD in version 3', 'QUOTE_TEE_UNSUPPORTED', { version: 3, header: { teeType: 0x81 } }],
    ['an enclave in version 4', 'QUOTE_TEE_UNSUPPORTED', { header: { teeType: 0 } }],
    ['an enclave in version 5', 'QUOTE_TEE_UNSUPPORTED', { version: 5, header: { teeType: 0 } }],
    ['an unknown TEE', 'QUOTE_TEE_UNSUPPORTED', { header: { teeType: 0x100_0081 } }],
    ['an EPID key', 'ATTESTATION_KEY_TYPE_UNSUPPORTED', { header: { attestationKeyType: 0 } }],
    ['a P-384 key', 'ATTESTATION_KEY_TYPE_UNSUPPORTED', { header: { attestationKeyType: 3 } }],
    ['a key of type 0x102', 'ATTESTATION_KEY_TYPE_UNSUPPORTED', { header: { attestationKeyType: 0x102 } }],
    ['a body of type 0', 'QUOTE_BODY_UNSUPPORTED', { version: 5, descriptor: { type: 0 } }],
    ['an enclave as body', 'QUOTE_BODY_UNSUPPORTED', { version: 5, descriptor: { type: 1, size: 384 } }],
    ['a body of type 4', 'QUOTE_BODY_UNSUPPORTED', { version: 5, descriptor: { type: 4 } }],
    ['a short body', 'QUOTE_BODY_SIZE_MISMATCH', { version: 5, descriptor: { size: 584 } }],
    ['a long body', 'QUOTE_BODY_SIZE_MISMATCH', { version: 5, body: 'td-1.0', descriptor: { size: 648 } }],
    ['a huge body', 'QUOTE_BODY_SIZE_MISMATCH', { version: 5, descriptor: { size: 0xffff_ffff } }],
    ['a quote that goes on', 'TRAILING_BYTES', { padding: Uint8Array.of(0, 0, 0, 1) }],
    ['two quotes', 'TRAILING_BYTES', { padding: filled(5000, 4) }],
    ['too much padding', 'QUOTE_TOO_LARGE', { padding: new Uint8Array(MAX_QUOTE_BYTES) }],
  ])('refuses %s with %s', async (_what, code, options) => {
    const bytes = await bytesOf(options);
    expect(() => parseQuote(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it.each([1, 2, 3, 4, 6, 7, 8, 0x105])('refuses certification data of type %i', async (innerType) => {
    for (const version of [3, 4, 5] as const) {
      const bytes = await bytesOf({ version, signatureData: { innerType } });
      expect(() => parseQuote(bytes)).toThrow(
        expect.objectContaining({ code: 'CERTIFICATION_DATA_UNSUPPORTED' }),
      );
    }
  });

  it.each([1, 5, 7, 0x106])('refuses outer certification data of type %i', async (outerType) => {
    for (const version of [4, 5] as const) {
      const bytes = await bytesOf({ version, signatureData: { outerType } });
      expect(() => parseQuote(bytes)).toThrow(
        expect.objectContaining({ code: 'CERTIFICATION_DATA_UNSUPPORTED' }),
      );
    }
  });

  it('names what it refuses', async () => {
    const p384 = await bytesOf({ header: { attestationKeyType: 3 } });
    expect(() => parseQuote(p384)).toThrow(
      'expected an attestation key of type 2 (ECDSA P-256), got 3 (ECDSA P-384)',
    );
    const manifest = await bytesOf({ signatureData: { innerType: 7 } });
    expect(() => parseQuote(manifest)).toThrow('got 7 (platform manifest)');
    const unknown = await bytesOf({ signatureData: { innerType: 99 } });
    expect(() => parseQuote(unknown)).toThrow('got 99 (unknown)');
  });

  it('accepts zeros after the quote up to its size limit', async () => {
    const whole = await bytesOf({});
    const padding = new Uint8Array(MAX_QUOTE_BYTES - whole.byteLength);
    expect(parseQuote(await bytesOf({ padding })).header.version).toBe(4);
  });

  it.each<[string, string, number, number]>([
    ['signature data that ends early', 'TRUNCATED', TD_10_END, -1],
    ['signature data that is longer than the rest', 'TRUNCATED', TD_10_END, 1],
    ['outer certification data that ends early', 'TRUNCATED', TD_10_END + 4 + 128 + 2, -1],
    ['outer certification data that is too long', 'TRUNCATED', TD_10_END + 4 + 128 + 2, 1],
    [
      'inner certification data that ends early',
      'TRAILING_BYTES',
      TD_10_END + 4 + 128 + 6 + 384 + 64 + 2 + 32 + 2,
      -1,
    ],
    [
      'inner certification data that is too long',
      'TRUNCATED',
      TD_10_END + 4 + 128 + 6 + 384 + 64 + 2 + 32 + 2,
      1,
    ],
  ])('refuses %s with %s', async (_what, code, offset, change) => {
    const bytes = await bytesOf({}, (view) => {
      view.setUint32(offset, view.getUint32(offset, true) + change, true);
    });
    expect(() => parseQuote(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses bytes between the inner and the outer end', async () => {
    const bytes = await bytesOf({});
    const grown = new Uint8Array(bytes.byteLength + 1);
    grown.set(bytes);
    const view = new DataView(grown.buffer);
    const outer = TD_10_END + 4 + 128 + 2;
    view.setUint32(TD_10_END, view.getUint32(TD_10_END, true) + 1, true);
    expect(() => parseQuote(grown)).toThrow(expect.objectContaining({ code: 'TRAILING_BYTES' }));
    view.setUint32(outer, view.getUint32(outer, true) + 1, true);
    expect(() => parseQuote(grown)).toThrow(expect.objectContaining({ code: 'TRAILING_BYTES' }));
  });

  it.each([3, 4, 5] as const)('refuses every truncation of version %i', async (version) => {
    const whole = await bytesOf({ version });
    for (let length = 0; length < whole.byteLength; length++) {
      expect(() => parseQuote(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'TRUNCATED' }),
      );
    }
  });

  it('never throws a foreign error', async () => {
    const seeds = await Promise.all(([3, 4, 5] as const).map(async (version) => await bytesOf({ version })));
    const change = fc.record({
      at: fc.nat({ max: 5000 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { maxLength: 4 }), (seed, changes) => {
        const bytes = Uint8Array.from(seed);
        for (const { at, bytes: patch } of changes) bytes.set(patch, at % (bytes.byteLength - 8));
        onlyCodedErrors(bytes);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), onlyCodedErrors));
  });
});

function onlyCodedErrors(bytes: Uint8Array): void {
  try {
    parseQuote(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
  }
}
