import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Attester } from '../../../../../agent/attestation-agent/attesters/attester.ts';
import {
  createSnpAttester,
  type SnpFirmwareReport,
} from '../../../../../agent/attestation-agent/attesters/snp/snp-attester.ts';
import { evidenceFor } from '../../../../../agent/attestation-agent/evidence-provider.ts';
import { jsonText } from '../../../../../server/json/json-text.ts';
import { parseJsonWithBigInts } from '../../../../../server/json/strict-json.ts';
import { PRODUCT_LINES, type ProductLine } from '../../../../../server/verifiers/snp/product.ts';
import type { Verifier } from '../../../../../server/verifiers/verifier.ts';
import { type FakeAmd, sharedFakeAmd } from '../../../../fakes/fake-amd.ts';
import { fakeCertificateTable, GUIDS } from '../../../../fakes/snp-certificate-table.ts';
import { createMemoryCollateral } from '../../../../fakes/snp-memory-collateral.ts';
import {
  encodeFakeReport,
  type FakeReport,
  fakeReport,
  inField,
  signedReportBytes,
} from '../../../../fakes/snp-report.ts';
import { claimsAt, NOW, putLists, verifierWith } from '../../../../server/verifiers/snp/snp-setup.ts';

const reportData = new Uint8Array(48).fill(7);
const digest = new Uint8Array(48).fill(0xd1);

let amd: FakeAmd;
let verifier: Verifier;

beforeAll(async () => {
  amd = await sharedFakeAmd();
});

beforeEach(async () => {
  const store = createMemoryCollateral();
  await putLists(store, amd);
  verifier = verifierWith(amd, store);
});

interface Machine {
  readonly product?: ProductLine;
  readonly version?: number;
  readonly report?: Partial<FakeReport>;
  readonly table?: Uint8Array | 'usual';
  /** What firmware or host answer in place of what is right. */
  readonly answer?: (usual: SnpFirmwareReport) => SnpFirmwareReport;
}

/** A guest on a machine of our own AMD. */
function attesterOn({ product = 'Milan', version = 5, ...machine }: Machine = {}): Attester {
  return createSnpAttester(async (data) => {
    const report = { ...fakeReport(product, version), report_data: inField(64, data), ...machine.report };
    const chipId = Uint8Array.from(report.chip_id);
    const key = amd.keyOf(product, Buffer.from(chipId).toString('hex'), report.reported_tcb);
    const vcek = await amd.vcek(product, chipId, report.reported_tcb);
    const usual = {
      report: signedReportBytes(encodeFakeReport(report, product), key),
      certificateTable: fakeCertificateTable([[GUIDS.VCEK, vcek]], 16_384),
    };
    return machine.answer?.(usual) ?? usual;
  });
}

describe('createSnpAttester', () => {
  it.each(PRODUCT_LINES.flatMap((product) => [2, 3, 4, 5].map((version) => [product, version] as const)))(
    'gives evidence of %s, version %i, that the server proves after its way as JSON',
    async (product, version) => {
      const attester = attesterOn({ product, version });
      const evidence = parseJsonWithBigInts(jsonText(await evidenceFor(attester, reportData)));
      const claims = await claimsAt(NOW, verifier, evidence, { reportData });
      expect(claims).toMatchObject({ product, report_version: version, signing_key: 'vcek' });
    },
  );

  it('keeps integers of 64 bits exact on their way as JSON', async () => {
    const evidence = await evidenceFor(attesterOn({ report: { policy: 1n << 63n } }), reportData);
    expect(jsonText(evidence)).toContain('"policy":9223372036854775808,');
    expect(parseJsonWithBigInts(jsonText(evidence))).toEqual(evidence);
  });

  it('sends the certificates of the host, or null', async () => {
    const evidence = await evidenceFor(attesterOn(), reportData);
    expect(evidence['cert_chain']).toMatchObject([{ cert_type: 'VCEK' }]);
    for (const certificateTable of [undefined, new Uint8Array(), new Uint8Array(4096)]) {
      const without = attesterOn({ answer: (usual) => ({ ...usual, certificateTable }) });
      expect((await evidenceFor(without, reportData))['cert_chain']).toBeNull();
    }
  });

  it('takes 64 bytes of report data and no more', async () => {
    await expect(evidenceFor(attesterOn(), new Uint8Array(64))).resolves.toBeDefined();
    await expect(evidenceFor(attesterOn(), new Uint8Array(65))).rejects.toMatchObject({
      code: 'REPORT_DATA_TOO_LONG',
    });
  });

  it.each<[string, string, Machine]>([
    [
      'a report of other data',
      'REPORT_OF_ANOTHER_REQUEST',
      { report: { report_data: inField(64, new Uint8Array(64).fill(8)) } },
    ],
    [
      'a report that is too short',
      'REPORT_MALFORMED',
      { answer: (usual) => ({ ...usual, report: usual.report.subarray(1) }) },
    ],
    [
      'a report with a reserved byte',
      'REPORT_MALFORMED',
      { answer: (usual) => ({ ...usual, report: usual.report.with(0x4c, 1) }) },
    ],
    [
      'a report of a version to come',
      'REPORT_UNSUPPORTED',
      { answer: (usual) => ({ ...usual, report: usual.report.with(0, 6) }) },
    ],
    [
      'a table that breaks off',
      'CERTIFICATE_TABLE_MALFORMED',
      { answer: (usual) => ({ ...usual, certificateTable: new Uint8Array(40).fill(1) }) },
    ],
  ])('refuses %s', async (_what, code, machine) => {
    await expect(evidenceFor(attesterOn(machine), reportData)).rejects.toMatchObject({ code });
  });

  it('compares init data with HOST_DATA, as the server does', async () => {
    const attester = attesterOn({ report: { host_data: inField(32, digest) } });
    expect(await attester.bindInitData(digest)).toEqual({ result: 'bound' });
    const evidence = await evidenceFor(attester, reportData);
    await expect(claimsAt(NOW, verifier, evidence, { initDataDigest: digest })).resolves.toBeDefined();
    expect(await attester.bindInitData(digest.with(0, 0))).toMatchObject({ result: 'mismatch' });
    expect(await attesterOn().bindInitData(digest)).toMatchObject({ result: 'mismatch' });
  });
});
