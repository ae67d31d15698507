import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseQuote } from '../../../server/intel-dcap/quote.ts';
import { createQuoteProver, type ProvenQuote } from '../../../server/intel-dcap/quote-proof.ts';
import {
  createFakeIntel,
  type FakeIntel,
  type FakeQuoteOptions,
  sharedFakeIntel,
} from '../../fakes/fake-intel.ts';
import { coordinatesOf, filled, qeReportDataOf } from '../../fakes/quote-bytes.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const STRANGER = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let intel: FakeIntel;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

async function prove(bytes: Uint8Array, of = intel): Promise<ProvenQuote> {
  return await createQuoteProver({ anchors: of.anchors })(parseQuote(bytes), NOW);
}

describe('createQuoteProver', () => {
  it.each<[string, FakeQuoteOptions]>([
    ['sgx', { version: 3 }],
    ['td-1.0', { version: 4 }],
    ['td-1.0', { version: 5, body: 'td-1.0' }],
    ['td-1.5', { version: 5 }],
  ])('proves a quote with a body of %s', async (kind, options) => {
    const { quote, pck, qeReport } = await prove(await intel.quote(options));
    expect(quote.body.kind).toBe(kind);
    expect(pck.extension.fmspc).toBe('00806F050000');
    expect(qeReport.isvProdId).toBe(2);
  });

  it('proves a quote of a processor, with padding, with no authentication data', async () => {
    const pck = await intel.pck({ ca: 'processor', sgxType: 0 });
    const options = { pck, padding: new Uint8Array(70), authenticationData: new Uint8Array() };
    await expect(prove(await intel.quote(options))).resolves.toMatchObject({ pck: { ca: 'processor' } });
  });

  it('judges neither the quoting enclave nor the debug mode of what it quotes', async () => {
    const options = { version: 3, qe: { flags: 0x17n }, enclave: { flags: 0x7n } } as const;
    await expect(prove(await intel.quote(options))).resolves.toBeDefined();
  });

  it.each<[string, string, FakeQuoteOptions]>(
    [
      [
        'the attestation key',
        'ATTESTATION_KEY_NOT_BOUND',
        { attestationKey: coordinatesOf(STRANGER.publicKey) },
      ],
      ['the authentication data', 'ATTESTATION_KEY_NOT_BOUND', { authenticationData: filled(32, 1) }],
      ['the signature of the QE report', 'QE_REPORT_SIGNATURE_INVALID', { qeReportSignature: filled(64, 1) }],
      ['the QE report', 'QE_REPORT_SIGNATURE_INVALID', { qeReport: filled(384, 0) }],
      ['the signature', 'QUOTE_SIGNATURE_INVALID', { signature: filled(64, 1) }],
    ].map(
      ([what, code, signatureData]) => [what, code, { signatureData }] as [string, string, FakeQuoteOptions],
    ),
  )('proves a platform once, and refuses %s of another with %s after that', async (_what, code, options) => {
    const proveQuote = createQuoteProver({ anchors: intel.anchors });
    const { qeReport, qeReportSignature } = parseQuote(await intel.quote()).signatureData;
    const same = { signatureData: { qeReport: qeReport.bytes, qeReportSignature } };
    for (const reportData of [filled(64, 1), filled(64, 2)]) {
      const quote = parseQuote(await intel.quote({ ...same, td: { reportData } }));
      await expect(proveQuote(quote, NOW)).resolves.toMatchObject({ quote });
    }
    const signatureData = { ...same.signatureData, ...options.signatureData };
    const changed = parseQuote(await intel.quote({ signatureData }));
    await expect(proveQuote(changed, NOW)).rejects.toMatchObject({ name: 'QuoteError', code });
  });

  it('does not take what one platform vouches for as vouched for by another', async () => {
    const proveQuote = createQuoteProver({ anchors: intel.anchors });
    const first = parseQuote(await intel.quote());
    await proveQuote(first, NOW);
    const { qeReport, qeReportSignature } = first.signatureData;
    const signatureData = { qeReport: qeReport.bytes, qeReportSignature };
    const other = parseQuote(await intel.quote({ pck: await intel.pck(), signatureData }));
    await expect(proveQuote(other, NOW)).rejects.toMatchObject({ code: 'QE_REPORT_SIGNATURE_INVALID' });
  });

  it.each<[string, string, FakeQuoteOptions]>([
    ['another vendor', 'QE_VENDOR_UNKNOWN', { header: { qeVendorId: filled(16, 0) } }],
    [
      'a QE report that a stranger signed',
      'QE_REPORT_SIGNATURE_INVALID',
      { qeReportSigner: STRANGER.privateKey },
    ],
    [
      'a signature of zeros on the QE report',
      'QE_REPORT_SIGNATURE_INVALID',
      { signatureData: { qeReportSignature: filled(64, 0) } },
    ],
    [
      'a signature of ones on the QE report',
      'QE_REPORT_SIGNATURE_INVALID',
      { signatureData: { qeReportSignature: filled(64, 0xff) } },
    ],
    [
      'the attestation key of a stranger',
      'ATTESTATION_KEY_NOT_BOUND',
      {
        signatureData: { attestationKey: coordinatesOf(STRANGER.publicKey) },
        quoteSigner: STRANGER.privateKey,
      },
    ],
    [
      'other authentication data',
      'ATTESTATION_KEY_NOT_BOUND',
      { signatureData: { authenticationData: filled(32, 1) } },
    ],
    [
      'no authentication data',
      'ATTESTATION_KEY_NOT_BOUND',
      { signatureData: { authenticationData: new Uint8Array() } },
    ],
    ['a QE that vouches for nothing', 'ATTESTATION_KEY_NOT_BOUND', { qe: { reportData: filled(64, 0) } }],
    ['a quote that a stranger signed', 'QUOTE_SIGNATURE_INVALID', { quoteSigner: STRANGER.privateKey }],
    ['a signature of zeros', 'QUOTE_SIGNATURE_INVALID', { signatureData: { signature: filled(64, 0) } }],
    ['a signature of ones', 'QUOTE_SIGNATURE_INVALID', { signatureData: { signature: filled(64, 0xff) } }],
  ])('refuses %s with %s', async (_what, code, options) => {
    for (const version of [3, 4, 5] as const) {
      const bytes = await intel.quote({ ...options, version });
      await expect(prove(bytes)).rejects.toMatchObject({ code });
    }
  });

  it('refuses anything behind the hash in the report data of the QE', async () => {
    const { attestationKey, authenticationData } = parseQuote(await intel.quote()).signatureData;
    const reportData = new Uint8Array(64);
    reportData.set(qeReportDataOf(attestationKey, authenticationData));
    await expect(prove(await intel.quote({ qe: { reportData } }))).resolves.toBeDefined();
    for (const index of [32, 63]) {
      const bytes = await intel.quote({ qe: { reportData: reportData.with(index, 1) } });
      await expect(prove(bytes)).rejects.toMatchObject({ code: 'ATTESTATION_KEY_NOT_BOUND' });
    }
  });

  it('refuses an attestation key beside the curve, though the QE vouches for it', async () => {
    const attestationKey = filled(64, 7);
    const authenticationData = filled(3, 1);
    const bytes = await intel.quote({
      qe: { reportData: qeReportDataOf(attestationKey, authenticationData) },
      authenticationData,
      signatureData: { attestationKey },
    });
    await expect(prove(bytes)).rejects.toMatchObject({ code: 'ATTESTATION_KEY_MALFORMED' });
  });

  it('refuses the QE report of another platform', async () => {
    const other = await intel.pck({ ppid: filled(16, 0x77) });
    const bytes = await intel.quote({ qeReportSigner: other.privateKey });
    await expect(prove(bytes)).rejects.toMatchObject({ code: 'QE_REPORT_SIGNATURE_INVALID' });
  });

  it('refuses a quote of an Intel that it does not know', async () => {
    const forger = await createFakeIntel();
    await expect(prove(await forger.quote())).rejects.toMatchObject({ code: 'CHAIN_UNTRUSTED' });
    await expect(prove(await intel.quote({ chain: (await forger.pck()).chain }))).rejects.toMatchObject({
      code: 'CHAIN_UNTRUSTED',
    });
  });

  it('refuses a certificate that has expired since it was first seen', async () => {
    const pck = await intel.pck({ notAfter: new Date('2026-06-02T00:00:00Z') });
    const proveAt = createQuoteProver({ anchors: intel.anchors });
    const quote = parseQuote(await intel.quote({ pck }));
    await expect(proveAt(quote, NOW)).resolves.toBeDefined();
    await expect(proveAt(quote, new Date('2026-06-03T00:00:00Z'))).rejects.toMatchObject({
      code: 'CERTIFICATE_EXPIRED',
    });
  });

  it.each([3, 4, 5] as const)(
    'never proves version %i with any bit flipped before the certificates',
    async (version) => {
      const proveOne = createQuoteProver({ anchors: intel.anchors });
      const proveBytes = async (flipped: Uint8Array) => await proveOne(parseQuote(flipped), NOW);
      const bytes = await intel.quote({ version });
      const { signedBytes, signatureData } = parseQuote(bytes);
      const end = bytes.byteLength - signatureData.pckChain.byteLength;
      expect(end).toBeGreaterThan(signedBytes.byteLength + 128 + 384 + 64 + 32);
      for (let index = 0; index < end; index++) {
        const flipped = Uint8Array.from(bytes);
        flipped[index]! ^= 1 << (index % 8);
        await expect(proveBytes(flipped)).rejects.toHaveProperty('code');
      }
    },
  );
});
