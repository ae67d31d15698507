import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../../server/claims/claims.ts';
import { createFakeAmd, type FakeAmd } from '../fakes/fake-amd.ts';
import {
  createFakeAzure,
  type FakeAzure,
  type FakeAzureOptions,
  type FakeVariableData,
} from '../fakes/fake-azure.ts';
import { createFakeIntelSite, type FakeIntelSite } from '../fakes/fake-intel-site.ts';
import { type FakePcs, startFakePcs } from '../fakes/fake-pcs.ts';
import { fakeReport } from '../fakes/snp-report.ts';
import { createFakeAk, extendedOnce, fakePcrs, range, SHA256_BANK } from '../fakes/tpm-quote.ts';
import { createAdministrator } from '../harness/administrator.ts';
import {
  appraised,
  createGuestKey,
  type EvidenceSource,
  getResource,
  openResource,
  postEvidence,
  replyTo,
  requestNonce,
} from '../harness/guest.ts';
import { azSnpSource, azTdxSource } from '../harness/hardware-sources.ts';
import { ESTATE_NOW } from '../harness/intel-estate.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const SECRET = 'the passphrase of a disk';
const RESOURCE = 'default/disk/passphrase';
const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a" = "b"\n';
const initDataDigest = createHash('sha256').update(INIT_DATA).digest();
/** PCR 11 of fake quotes. */
const PCR_11 = '0c'.repeat(32);
const VERSIONS = [0, 1, 2] as const;

/** What the default CPU policy compares, so that the fake Azure's machines are affirmed. */
const REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['measurement', [Buffer.alloc(48, 0xa5).toString('base64')]],
  ['snp_pcr11', [PCR_11]],
  ['tcb_bootloader', ['3']],
  ['tcb_microcode', ['115']],
  ['tcb_snp', ['8']],
  ['tcb_tee', ['0']],
  ['smt_enabled', ['true']],
  ['tsme_enabled', ['false']],
  ['abi_major', ['0']],
  ['abi_minor', ['0']],
  ['single_socket', ['false']],
  ['smt_allowed', ['true']],
  ['tdx_pcr11', [PCR_11]],
  ['mr_td', ['7d'.repeat(48)]],
  ['xfam', ['e700000000000000']],
];

let azure: FakeAzure;
let amd: FakeAmd;
let site: FakeIntelSite;
let pcs: FakePcs;
let verigo: RunningVerigo;
/** Accepts nothing but version 2. */
let strict: RunningVerigo;

beforeAll(async () => {
  azure = createFakeAzure();
  [amd, site] = await Promise.all([createFakeAmd({}, ['Milan']), createFakeIntelSite()]);
  pcs = await startFakePcs(await site.content(ESTATE_NOW));
  const start = async (verifiers = {}): Promise<RunningVerigo> =>
    await startVerigo({
      clock: () => ESTATE_NOW,
      rootsPem: `${amd.pem('Milan')}${site.rootPem}`,
      config: { collateral: { intel: { url: pcs.url } }, verifiers },
    });
  const least = { minimum_evidence_version: 2 };
  [verigo, strict] = await Promise.all([start(), start({ az_snp_vtpm: least, az_tdx_vtpm: least })]);
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, SECRET);
});
afterAll(async () => {
  await Promise.all([verigo.close(), strict.close()]);
  await pcs.close();
});

const snp = (options?: Parameters<typeof azSnpSource>[2]): EvidenceSource => azSnpSource(azure, amd, options);
const tdx = (options?: Parameters<typeof azTdxSource>[2]): EvidenceSource =>
  azTdxSource(azure, site, options);
/** Both platforms; by name in tables that are written before there is an Azure. */
const PLATFORMS = { 'az-snp-vtpm': snp, 'az-tdx-vtpm': tdx } as const;
type Platform = keyof typeof PLATFORMS;
const platforms = Object.keys(PLATFORMS) as readonly Platform[];

describe('from challenge to secret', () => {
  test.each(platforms)('%s: without reference values nothing is affirmed', async (tee) => {
    const { status, token } = await appraised(verigo.url, PLATFORMS[tee]());
    expect(status).not.toBe('affirming');
    expect(await getResource(verigo.url, RESOURCE, { token })).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });

  describe('with them', () => {
    beforeAll(async () => {
      await createAdministrator(verigo.url, await verigo.adminToken()).setReferenceValues(REFERENCE_VALUES);
    });

    const all = platforms.flatMap((tee) => VERSIONS.map((version) => [tee, version] as const));
    test.each(all)('%s, evidence of version %i', async (tee, version) => {
      const key = createGuestKey();
      const nonce = await requestNonce(verigo.url, tee);
      const source = PLATFORMS[tee]({ version });
      const { status, claims, token } = await appraised(verigo.url, source, { key, nonce });
      expect(status).toBe('affirming');
      expect(claims['tpm']).toMatchObject({ pcr00: '01'.repeat(32), pcr11: PCR_11, pcr23: '18'.repeat(32) });
      expect(claims).toMatchObject(
        tee === 'az-snp-vtpm'
          ? { reported_tcb_snp: '8', policy_debug_allowed: 'false' }
          : { tcb_status: 'UpToDate', quote: { body: { mr_td: '7d'.repeat(48) } } },
      );
      expect(decodeJwt(token)['eat_nonce']).toBe(nonce);
      const released = await getResource(verigo.url, RESOURCE, { token });
      expect(released.status, released.text).toBe(200);
      expect(await openResource(released, key)).toBe(SECRET);
    });
  });
});

describe.each(platforms)('%s', (tee) => {
  const source = (options?: FakeAzureOptions): EvidenceSource => PLATFORMS[tee](options);

  test('binds init data by PCR 8', async () => {
    const values = fakePcrs().with(8, extendedOnce(initDataDigest));
    const { appraisal } = await appraised(verigo.url, source({ quote: { values } }), { initData: INIT_DATA });
    expect(appraisal['ear.veraison.annotated-evidence']).toMatchObject({
      init_data: extendedOnce(initDataDigest).toString('hex'),
      init_data_claims: { a: 'b' },
    });
    expect(await replyTo(verigo.url, source(), { initData: INIT_DATA })).toMatchObject({
      status: 401,
      code: 'INIT_DATA_MISMATCH',
    });
    const elsewhere = {
      selection: [{ algorithm: SHA256_BANK, indices: [...range(0, 8), 23] }],
      values: values.slice(0, 9),
    };
    expect(await replyTo(verigo.url, source({ quote: elsewhere }), { initData: INIT_DATA })).toMatchObject({
      status: 401,
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
    const longer = INIT_DATA.replace('sha256', 'sha384');
    expect(await replyTo(verigo.url, source(), { initData: longer })).toMatchObject({
      status: 401,
      code: 'INIT_DATA_MISMATCH',
    });
  });

  const other = new Uint8Array(48).fill(7);
  const another = (usual: FakeVariableData): unknown => ({ ...usual, keys: usual.keys.slice(1) });
  const broken: readonly (readonly [
    what: string,
    code: string,
    status: number,
    options: FakeAzureOptions,
  ])[] = [
    ['a quote for another request', 'REPORT_DATA_MISMATCH', 401, { quote: { extraData: other } }],
    ['user data of another request', 'USER_DATA_MISMATCH', 401, { userData: other }],
    ['a quote by another key', 'SIGNATURE_INVALID', 401, { quote: { signer: createFakeAk().privateKey } }],
    ['PCRs that were not quoted', 'PCR_DIGEST_MISMATCH', 401, { quote: { pcrDigest: new Uint8Array(32) } }],
    ['a quote over nothing', 'PCR_SELECTION_MISMATCH', 401, { quote: { selection: [], values: [] } }],
    [
      'a quote over another bank',
      'PCR_BANK_UNSUPPORTED',
      422,
      { quote: { selection: [{ algorithm: 0x000c, indices: [0] }], values: [new Uint8Array(48)] } },
    ],
    ['fewer PCRs than quoted', 'PCR_SELECTION_MISMATCH', 401, { quote: { values: fakePcrs(9) } }],
    ['what no TPM made', 'QUOTE_MAGIC_MISMATCH', 401, { quote: { magic: 0 } }],
    ['an attestation that is no quote', 'QUOTE_TYPE_MISMATCH', 401, { quote: { type: 0x8017 } }],
    [
      'variable data that the hardware does not vouch for',
      'VARIABLE_DATA_MISMATCH',
      401,
      { hardwareReportData: (usual) => usual.with(0, usual[0]! ^ 1) },
    ],
    [
      'variable data without an attestation key',
      'HCL_VARIABLE_DATA_MALFORMED',
      400,
      { variableData: another },
    ],
    [
      'an HCL report of the other platform',
      'HARDWARE_REPORT_MISMATCH',
      401,
      { hcl: { type: tee === 'az-snp-vtpm' ? 4 : 2 } },
    ],
    ['an HCL report of another size', 'HCL_REPORT_MALFORMED', 400, { hcl: { variableSize: 1 } }],
  ];
  test.each(broken)('%s: %s', async (_what, code, status, options) => {
    const reply = await replyTo(verigo.url, source(options));
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({ status, code });
  });

  test('variable data that was altered on its way is refused', async () => {
    const altered: EvidenceSource = {
      tee,
      evidence: async (runtimeData) => {
        const evidence = (await source().evidence(runtimeData)) as { hcl_report: string };
        const bytes = Buffer.from(evidence.hcl_report, 'base64url');
        bytes[bytes.indexOf('secure-boot')]! ^= 0x20;
        return { ...evidence, hcl_report: bytes.toString('base64url') };
      },
    };
    expect(await replyTo(verigo.url, altered)).toMatchObject({ status: 401, code: 'VARIABLE_DATA_MISMATCH' });
  });

  test('a server may ask for evidence that binds the hardware report too', async () => {
    for (const version of [0, 1] as const) {
      const reply = await replyTo(strict.url, source({ version }));
      expect(reply).toMatchObject({ status: 401, code: 'EVIDENCE_VERSION_TOO_OLD' });
    }
    expect((await replyTo(strict.url, source({ version: 2 }))).status).toBe(200);
    // What has become of version 2 when its number is taken away is no evidence at all.
    const evidence = (await source().evidence({})) as Record<string, unknown>;
    const stripped = { tee, evidence: async () => ({ ...evidence, version: undefined }) };
    expect((await replyTo(strict.url, stripped)).status).toBe(400);
  });

  test('evidence without runtime data shows no age', async () => {
    const unbound = await source().evidence({});
    expect(await postEvidence(verigo.url, tee, unbound as object)).toMatchObject({
      status: 422,
      code: 'RUNTIME_DATA_REQUIRED',
    });
  });
});

describe('the hardware below', () => {
  /** The evidence of a machine with one member in place of its own. */
  function withMember(honest: EvidenceSource, name: string, value: (own: string) => unknown): EvidenceSource {
    return {
      tee: honest.tee,
      evidence: async (runtimeData) => {
        const evidence = (await honest.evidence(runtimeData)) as Record<string, string>;
        return { ...evidence, [name]: await value(evidence[name]!) };
      },
    };
  }

  test.each<[what: string, code: string, vcek: () => unknown]>([
    ["another chip's VCEK", 'CHIP_ID_MISMATCH', async () => await vcekOf(new Uint8Array(64).fill(9))],
    ['no VCEK', 'COLLATERAL_UNAVAILABLE', () => ''],
  ])('%s: %s', async (_what, code, vcek) => {
    expect(await replyTo(verigo.url, withMember(snp(), 'vcek', vcek))).toMatchObject({ code });
  });

  async function vcekOf(chip: Uint8Array): Promise<string> {
    return Buffer.from(await amd.vcek('Milan', chip, fakeReport('Milan', 3).reported_tcb)).toString(
      'base64url',
    );
  }

  test('a TD quote with another measurement is refused', async () => {
    const forge = (text: string): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[bytes.indexOf(Buffer.alloc(48, 0x7d))]! ^= 1;
      return bytes.toString('base64url');
    };
    expect(await replyTo(verigo.url, withMember(tdx(), 'td_quote', forge))).toMatchObject({
      status: 401,
      code: 'QUOTE_SIGNATURE_INVALID',
    });
  });

  test('a report at another level than the paravisor runs at is refused', async () => {
    expect(await replyTo(verigo.url, snp({ report: { vmpl: 2 } }))).toMatchObject({
      status: 401,
      code: 'VMPL_NOT_ALLOWED',
    });
  });

  test.each([
    [
      'an SNP machine under debug',
      () => snp({ report: { policy: 0xb_0000 } }),
      'policy_debug_allowed',
      'true',
    ],
    ['a TDX machine under debug', () => tdx({ td: { tdAttributes: 1n } }), 'td_attributes.debug', true],
  ] as const)('%s is proven, and not affirmed', async (_what, source, claim, value) => {
    const { status, claims } = await appraised(verigo.url, source());
    expect(claims).toHaveProperty(claim, value);
    expect(status).not.toBe('affirming');
  });
});
