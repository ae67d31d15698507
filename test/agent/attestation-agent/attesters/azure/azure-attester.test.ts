import { createHash, createPublicKey } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createAzSnpVtpmAttester,
  createAzTdxVtpmAttester,
} from '../../../../../agent/attestation-agent/attesters/azure/azure-attester.ts';
import { readStoredReport } from '../../../../../agent/attestation-agent/attesters/azure/hcl-report-index.ts';
import { createMetadataService } from '../../../../../agent/attestation-agent/attesters/azure/metadata-service.ts';
import {
  createTpmTools,
  type TpmTools,
} from '../../../../../agent/attestation-agent/attesters/tpm/tpm-tools.ts';
import { evidenceFor } from '../../../../../agent/attestation-agent/evidence-provider.ts';
import { createAzSnpVtpmVerifier } from '../../../../../server/verifiers/az-snp-vtpm/az-snp-vtpm-verifier.ts';
import { createAzTdxVtpmVerifier } from '../../../../../server/verifiers/az-tdx-vtpm/az-tdx-vtpm-verifier.ts';
import { createSnpProver } from '../../../../../server/verifiers/snp/snp-prover.ts';
import { createTdQuoteProver } from '../../../../../server/verifiers/tdx/td-quote-prover.ts';
import type { Verifier } from '../../../../../server/verifiers/verifier.ts';
import { type FakeAmd, sharedFakeAmd } from '../../../../fakes/fake-amd.ts';
import {
  createFakeAzure,
  type FakeAzureEvidence,
  type FakeAzureOptions,
} from '../../../../fakes/fake-azure.ts';
import { type FakeIntel, pemOf, sharedFakeIntel } from '../../../../fakes/fake-intel.ts';
import { fakeQuoteVerification } from '../../../../fakes/fake-quote-verification.ts';
import { hasSwtpm, type Swtpm, startSwtpm } from '../../../../fakes/run-swtpm.ts';
import { json, type ScriptedServer, startScriptedServer } from '../../../../fakes/scripted-server.ts';
import { createMemoryCollateral } from '../../../../fakes/snp-memory-collateral.ts';
import { NOW, putLists } from '../../../../server/verifiers/snp/snp-setup.ts';

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const isThere = hasSwtpm();
if (!isThere && !mustRun) console.warn('no swtpm and tpm2-tools: attesting on Azure is not tested');

const azure = createFakeAzure();
const reportData = createHash('sha384').update('runtime data').digest();
const initDataDigest = createHash('sha256').update('init data').digest();
const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url');

describe.skipIf(!isThere && !mustRun)('a confidential VM on an Azure of our own', () => {
  let amd: FakeAmd;
  let intel: FakeIntel;
  let tpm: Swtpm;
  let tools: TpmTools;
  let host: ScriptedServer;
  /** What the host's metadata service knows. */
  let vcek: Uint8Array;
  let tdQuote: Uint8Array;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
    intel = await sharedFakeIntel();
  });

  beforeEach(async () => {
    tpm = await startSwtpm();
    tools = createTpmTools({ tcti: tpm.tcti });
    await tpm.tool('createek', '-c', 'ek.ctx', '-G', 'rsa');
    await tpm.tool('createak', '-C', 'ek.ctx', '-c', 'ak.ctx', '-G', 'rsa', '-s', 'rsassa', '-g', 'sha256');
    await tpm.tool('evictcontrol', '-C', 'o', '-c', 'ak.ctx', '0x81000003');
    await tpm.tool('readpublic', '-c', '0x81000003', '-f', 'pem', '-o', 'ak.pem');
    host = await startScriptedServer(({ method, path, headers, text }) => {
      if (path === '/metadata/THIM/amd/certification' && headers['metadata'] === 'true') {
        return json({ vcekCert: pemOf([vcek]), tcbm: 'DB18000000000004', certificateChain: '' });
      }
      const { report } = JSON.parse(text) as { report: string };
      const isReport = bytesOf(report).equals(Buffer.alloc(1024, 0x81));
      if (method === 'POST' && path === '/acc/tdquote' && isReport) {
        return json({ quote: Buffer.from(tdQuote).toString('base64url') });
      }
      return { status: 404 };
    });
  });

  afterEach(async () => {
    await tpm.stop();
    await host.close();
  });

  /** The TPM in software has room for 2048 bytes: without the other key and zeros. */
  async function paravisorOptions(userData: Uint8Array = reportData): Promise<FakeAzureOptions> {
    const ak = createPublicKey(await tpm.read('ak.pem')).export({ format: 'jwk' });
    return {
      userData,
      hcl: { padding: new Uint8Array() },
      variableData: (usual) => ({ ...usual, keys: [{ kid: 'HCLAkPub', key_ops: ['sign'], ...ak }] }),
    };
  }

  async function storeReport({ hcl_report: report }: FakeAzureEvidence): Promise<void> {
    const bytes = bytesOf(report);
    await tpm.write('hcl', bytes);
    await tpm.tool('nvundefine', '-C', 'o', '0x01400001').catch(() => undefined);
    await tpm.tool('nvdefine', '-C', 'o', '0x01400001', '-s', `${bytes.byteLength}`);
    await tpm.tool('nvwrite', '-C', 'o', '0x01400001', '-i', 'hcl');
  }

  async function startSnp(userData?: Buffer): Promise<void> {
    const evidence = await azure.snpEvidence(amd, await paravisorOptions(userData));
    vcek = bytesOf(evidence['vcek']);
    await storeReport(evidence);
  }

  async function startTdx(): Promise<void> {
    const evidence = await azure.tdxEvidence({
      ...(await paravisorOptions()),
      tdQuote: async (data) => await intel.quote({ td: { reportData: data } }),
    });
    tdQuote = bytesOf(evidence['td_quote']);
    await storeReport(evidence);
  }

  const attester = (tee: 'snp' | 'tdx') => {
    const options = { tools, metadata: createMetadataService({ baseUrl: host.url }) };
    return tee === 'snp' ? createAzSnpVtpmAttester(options) : createAzTdxVtpmAttester(options);
  };

  async function snpVerifier(): Promise<Verifier> {
    const store = createMemoryCollateral();
    await putLists(store, amd);
    const prover = createSnpProver({
      ...{ anchors: amd.anchors, store, kds: undefined, maxStaleSeconds: 0, revocation: 'required' },
    });
    return createAzSnpVtpmVerifier({
      minimumEvidenceVersion: 2,
      proveReport: async (report, key, at) => {
        const supplied = key && { endorsementKey: key, intermediate: undefined };
        const { report: proven, claims } = await prover.prove(report, supplied, at);
        return { reportData: proven.reportData, claims };
      },
    });
  }

  it('gives evidence of SNP that the server proves, of version 2, with init data', async () => {
    await startSnp();
    expect(await attester('snp').bindInitData(initDataDigest)).toEqual({ result: 'bound' });
    const evidence: unknown = JSON.parse(JSON.stringify(await evidenceFor(attester('snp'), reportData)));
    const [{ claims }] = await (await snpVerifier()).verify(evidence, { reportData, initDataDigest }, NOW);
    expect(claims).toMatchObject({ report_data: reportData.toString('hex'), product: 'Milan' });
  });

  it('gives evidence of TDX that the server proves, of version 2', async () => {
    await startTdx();
    const evidence: unknown = JSON.parse(JSON.stringify(await evidenceFor(attester('tdx'), reportData)));
    const verifier = createAzTdxVtpmVerifier({
      minimumEvidenceVersion: 2,
      proveQuote: createTdQuoteProver(fakeQuoteVerification(intel)),
    });
    const expected = { reportData, initDataDigest: undefined };
    const [{ claims }] = await verifier.verify(evidence, expected, NOW);
    expect(claims).toMatchObject({ report_data: reportData.toString('hex'), tcb_status: 'UpToDate' });
  });

  it('waits for the paravisor, which needs some time for a new report', async () => {
    await startSnp(Buffer.from('of an earlier request'));
    const evidence = evidenceFor(attester('snp'), reportData);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await startSnp();
    await (await snpVerifier()).verify(await evidence, { reportData, initDataDigest: undefined }, NOW);
  });

  it('gives none where the paravisor never reports the user data of the request', async () => {
    await startSnp(Buffer.from('of an earlier request'));
    await expect(evidenceFor(attester('snp'), reportData)).rejects.toMatchObject({
      code: 'REPORT_OF_ANOTHER_REQUEST',
    });
  });

  it('writes the user data over those of the last request', async () => {
    await startSnp();
    await evidenceFor(attester('snp'), reportData);
    await evidenceFor(attester('snp'), reportData);
    await tpm.tool('nvread', '-C', 'o', '0x01400002', '-o', 'user-data');
    expect(await tpm.read('user-data')).toEqual(Buffer.concat([reportData, Buffer.alloc(16)]));
  });

  it('refuses a report of another TEE, and more than 64 bytes of report data', async () => {
    await startSnp();
    expect((await readStoredReport(tools)).type).toBe('snp');
    await expect(evidenceFor(attester('tdx'), reportData)).rejects.toMatchObject({
      code: 'REPORT_UNSUPPORTED',
    });
    await expect(evidenceFor(attester('snp'), new Uint8Array(65))).rejects.toMatchObject({
      code: 'REPORT_DATA_TOO_LONG',
    });
  });

  it('A18: refuses init data with a digest of SHA-384', async () => {
    await expect(attester('snp').bindInitData(new Uint8Array(48))).rejects.toMatchObject({
      code: 'INIT_DATA_DIGEST_SIZE',
    });
  });

  it('says that there is no report', async () => {
    await expect(readStoredReport(tools)).rejects.toMatchObject({ code: 'TPM_FAILED' });
  });
});
