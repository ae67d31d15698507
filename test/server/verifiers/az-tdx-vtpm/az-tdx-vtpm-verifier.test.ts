import { describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import type { AzureEvidenceVersion } from '../../../../server/tpm/azure-evidence.ts';
import {
  createAzTdxVtpmVerifier,
  type ProveTdQuote,
} from '../../../../server/verifiers/az-tdx-vtpm/az-tdx-vtpm-verifier.ts';
import type { ExpectedBinding } from '../../../../server/verifiers/verifier.ts';
import {
  createFakeAzure,
  type FakeAzureEvidence,
  type FakeAzureTdxOptions,
} from '../../../fakes/fake-azure.ts';
import { createFakeAk, extendedOnce, fakePcrs, range, SHA256_BANK } from '../../../fakes/tpm-quote.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const azure = createFakeAzure();
const reportData = new Uint8Array(48).map((_, index) => index + 1);
const initDataDigest = new Uint8Array(32).fill(0xd1);
const PREFIX = 'TDQ1';

/** A TD quote of our own: a word and the report data. */
const tdQuote = (data: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(PREFIX), data]);

/** Stands for the proof of TD quotes, which is not what is tested here. */
const proveQuote: ProveTdQuote = async (quote, at) => {
  expect(at).toBe(NOW);
  if (Buffer.from(quote.subarray(0, 4)).toString() !== PREFIX)
    throw new CodedError('NO_TD_QUOTE', 'expected one');
  const claims: Claims = {
    quote: { body: { mr_td: '42' } },
    td_attributes: { debug: false },
    tcb_status: 'UpToDate',
    report_data: 'of the hardware',
    init_data: 'of the launch',
  };
  return await Promise.resolve({ reportData: quote.subarray(4), claims });
};

async function evidence(options: Partial<FakeAzureTdxOptions> = {}): Promise<FakeAzureEvidence> {
  return await azure.tdxEvidence({ reportData, tdQuote, ...options });
}

async function claimsOf(
  given: unknown,
  expected: Partial<ExpectedBinding> = {},
  minimumEvidenceVersion?: AzureEvidenceVersion,
): Promise<Claims> {
  const verifier = createAzTdxVtpmVerifier({
    proveQuote,
    ...(minimumEvidenceVersion !== undefined && { minimumEvidenceVersion }),
  });
  const proven = await verifier.verify(given, { reportData, initDataDigest: undefined, ...expected }, NOW);
  expect(proven).toHaveLength(1);
  expect(proven[0].class).toBe('cpu');
  return proven[0].claims;
}

describe('createAzTdxVtpmVerifier', () => {
  it.each([0, 1, 2] as const)('proves evidence of version %i', async (version) => {
    const claims = await claimsOf(await evidence({ version }));
    expect(claims).toEqual({
      quote: { body: { mr_td: '42' } },
      td_attributes: { debug: false },
      tcb_status: 'UpToDate',
      report_data: Buffer.from(reportData).toString('hex'),
      init_data: '00'.repeat(32),
      tpm: Object.fromEntries(
        fakePcrs().map((value, index) => [
          `pcr${`${index}`.padStart(2, '0')}`,
          Buffer.from(value).toString('hex'),
        ]),
      ),
    });
  });

  it('binds init data by PCR 8, and says nothing of init data where it is not quoted', async () => {
    const values = fakePcrs().with(8, extendedOnce(initDataDigest));
    const given = await evidence({ quote: { values } });
    await expect(claimsOf(given, { initDataDigest })).resolves.toBeDefined();
    const selection = [{ algorithm: SHA256_BANK, indices: range(0, 8) }];
    const short = await evidence({ quote: { selection, values: fakePcrs(8) } });
    expect(await claimsOf(short)).not.toHaveProperty('init_data');
    await expect(claimsOf(short, { initDataDigest })).rejects.toMatchObject({
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
  });

  it.each<[string, Partial<FakeAzureTdxOptions>, string]>([
    ['a quote by another key', { quote: { signer: createFakeAk().privateKey } }, 'SIGNATURE_INVALID'],
    [
      'a nonce reversed',
      { quote: { extraData: Uint8Array.from(reportData).reverse() } },
      'REPORT_DATA_MISMATCH',
    ],
    ['other PCRs than quoted', { quote: { pcrDigest: new Uint8Array(32) } }, 'PCR_DIGEST_MISMATCH'],
    [
      'variable data that the TD quote does not vouch for',
      { hardwareReportData: (usual) => usual.with(0, usual[0]! ^ 1) },
      'VARIABLE_DATA_MISMATCH',
    ],
    ['user data of another request', { userData: new Uint8Array(64) }, 'USER_DATA_MISMATCH'],
    ['a report of SNP', { hcl: { type: 2 } }, 'HARDWARE_REPORT_MISMATCH'],
    [
      'a TD quote that is not proven',
      { tdQuote: (data) => Buffer.concat([Buffer.from('none'), data]) },
      'NO_TD_QUOTE',
    ],
    [
      'a TD quote with shorter report data',
      { tdQuote: (data) => tdQuote(data.subarray(0, 16)) },
      'VARIABLE_DATA_MISMATCH',
    ],
  ])('refuses %s', async (_what, options, code) => {
    await expect(claimsOf(await evidence(options))).rejects.toMatchObject({ code });
  });

  it('refuses requests without runtime data, and evidence that is too old or too large', async () => {
    await expect(claimsOf(await evidence(), { reportData: undefined })).rejects.toMatchObject({
      code: 'RUNTIME_DATA_REQUIRED',
    });
    await expect(claimsOf(await evidence({ version: 1 }), {}, 2)).rejects.toMatchObject({
      code: 'EVIDENCE_VERSION_TOO_OLD',
    });
    const large = { ...(await evidence()), td_quote: 'AAAA'.repeat(10_924) };
    await expect(claimsOf(large)).rejects.toMatchObject({ code: 'EVIDENCE_MALFORMED' });
  });

  it.each(['version', 'tpm_quote', 'hcl_report', 'td_quote'])('refuses evidence without %s', async (name) => {
    const broken = { ...(await evidence()), [name]: undefined };
    await expect(claimsOf(broken)).rejects.toMatchObject({ code: 'EVIDENCE_MALFORMED' });
  });
});
