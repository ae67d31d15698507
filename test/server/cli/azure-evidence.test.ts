import { beforeAll, describe, expect, it } from 'vitest';
import { inspectAzSnpEvidence, inspectAzTdxEvidence } from '../../../server/cli/azure-evidence.ts';
import { createFakeAmd, type FakeAmd } from '../../fakes/fake-amd.ts';
import { createFakeAzure, type FakeAzure } from '../../fakes/fake-azure.ts';
import { type FakeIntel, sharedFakeIntel } from '../../fakes/fake-intel.ts';
import { fakePcrs, range, SHA256_BANK } from '../../fakes/tpm-quote.ts';

const reportData = new Uint8Array(48).fill(0x1d);
let azure: FakeAzure;
let amd: FakeAmd;
let intel: FakeIntel;

beforeAll(async () => {
  azure = createFakeAzure();
  amd = await createFakeAmd({}, ['Milan']);
  intel = await sharedFakeIntel();
});

const tdQuote = async (bytes: Uint8Array): Promise<Uint8Array> =>
  await intel.quote({ version: 5, td: { reportData: bytes } });

describe('inspectAzSnpEvidence', () => {
  it.each([0, 1, 2] as const)(
    'reads version %i, under the names and in the form of its policies',
    async (version) => {
      const document = await azure.snpEvidence(amd, { version, reportData });
      expect(inspectAzSnpEvidence({ form: 'json', document })).toMatchObject({
        evidence_version: version,
        measurement: Buffer.alloc(48, 0xa5).toString('base64'),
        reported_tcb_snp: '8',
        policy_debug_allowed: 'false',
        report_data: '1d'.repeat(48),
        init_data: '00'.repeat(32),
        tpm: { pcr00: '01'.repeat(32), pcr23: '18'.repeat(32) },
        tpm_quote: { selection: { sha256: range(0, 24) }, signature: 'rsassa with sha256' },
        endorsement_key: 'came along',
        hcl_variable_data: {
          'vm-configuration': { 'secure-boot': true },
          'user-data': expect.any(String) as string,
        },
      });
    },
  );

  it('judges nothing: neither signatures nor digests', async () => {
    const document = await azure.snpEvidence(amd, {
      reportData,
      quote: { pcrDigest: new Uint8Array(32), signer: createFakeAzure().ak.privateKey },
      hardwareReportData: () => new Uint8Array(64),
    });
    expect(inspectAzSnpEvidence({ form: 'json', document })).toMatchObject({
      tpm_quote: { pcr_digest: '00'.repeat(32) },
    });
  });

  it('numbers PCRs by the selection of the quote, bank by bank', async () => {
    const quote = {
      selection: [
        { algorithm: 0x0004, indices: [7] },
        { algorithm: SHA256_BANK, indices: [4, 23] },
      ],
      values: [new Uint8Array(20).fill(0x77), ...fakePcrs(2)],
    };
    const document = await azure.snpEvidence(amd, { reportData, quote });
    const claims = inspectAzSnpEvidence({ form: 'json', document });
    expect(claims).toMatchObject({
      tpm: { pcr04: '01'.repeat(32), pcr23: '02'.repeat(32) },
      tpm_quote: { sha1: { pcr07: '77'.repeat(20) } },
    });
    expect(claims).not.toHaveProperty('init_data');
  });

  it('reads the bytes of an HCL report', async () => {
    const { hcl_report: text } = await azure.snpEvidence(amd, { reportData });
    const bytes = Buffer.from(text as string, 'base64url');
    const claims = inspectAzSnpEvidence({ form: 'bytes', bytes });
    expect(claims).toMatchObject({ product: 'Milan', hcl_variable_data: { keys: expect.any(Array) as [] } });
    expect(claims).not.toHaveProperty('tpm');
  });

  it('refuses other evidence', async () => {
    const tdx = await azure.tdxEvidence({ tdQuote, reportData });
    expect(() => inspectAzSnpEvidence({ form: 'json', document: tdx })).toThrow(
      expect.objectContaining({ code: 'HARDWARE_REPORT_MISMATCH' }),
    );
    expect(() => inspectAzSnpEvidence({ form: 'json', document: { svn: '1' } })).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
    expect(() => inspectAzSnpEvidence({ form: 'bytes', bytes: new Uint8Array(2600) })).toThrow(
      expect.objectContaining({ code: 'HCL_REPORT_MALFORMED' }),
    );
  });
});

describe('inspectAzTdxEvidence', () => {
  it.each([0, 1, 2] as const)('reads version %i', async (version) => {
    const document = await azure.tdxEvidence({ version, tdQuote, reportData });
    expect(inspectAzTdxEvidence({ form: 'json', document })).toMatchObject({
      evidence_version: version,
      quote: { body: { mr_td: '7d'.repeat(48) } },
      td_attributes: { debug: false },
      report_data: '1d'.repeat(48),
      tpm: { pcr11: '0c'.repeat(32) },
      hcl_variable_data: { 'vm-configuration': { 'tpm-enabled': true } },
    });
  });

  it('reads the variable data of an HCL report', async () => {
    const { hcl_report: text } = await azure.tdxEvidence({ tdQuote, reportData });
    const bytes = Buffer.from(text as string, 'base64url');
    expect(Object.keys(inspectAzTdxEvidence({ form: 'bytes', bytes }))).toEqual(['hcl_variable_data']);
  });

  it('refuses the evidence of an SNP machine', async () => {
    const document = { ...(await azure.snpEvidence(amd, { reportData })), td_quote: 'AAAA' };
    expect(() => inspectAzTdxEvidence({ form: 'json', document })).toThrow(
      expect.objectContaining({ code: 'HARDWARE_REPORT_MISMATCH' }),
    );
  });
});
