import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FakeQuoteOptions } from '../fakes/fake-intel.ts';
import {
  FAKE_ADVISORY,
  type FakeIntelSite,
  type FakeStanding,
  fakeTeeTcbSvn,
} from '../fakes/fake-intel-site.ts';
import { appraised, type EvidenceSource, replyTo } from '../harness/guest.ts';
import { sgxSource, tdxSource } from '../harness/hardware-sources.ts';
import { type IntelEstate, startIntelEstate } from '../harness/intel-estate.ts';
import type { RunningVerigo } from '../harness/serve-verigo.ts';

let estate: IntelEstate;
let site: FakeIntelSite;
let verigo: RunningVerigo;

beforeAll(async () => {
  estate = await startIntelEstate();
  ({ site, verigo } = estate);
});
afterAll(async () => {
  await estate[Symbol.asyncDispose]();
});

describe('what Intel says about the machine', () => {
  const older = (microcode: number): FakeQuoteOptions => ({
    version: 5,
    td: { teeTcbSvn: fakeTeeTcbSvn({ microcode }) },
  });
  const module = (minor: number): FakeQuoteOptions => ({ td: { teeTcbSvn: fakeTeeTcbSvn({ minor }) } });
  const qe = (age: number): FakeQuoteOptions => ({ qe: { isvSvn: 8 - age } });

  const rows: readonly (readonly [
    standing: FakeStanding,
    claim: string,
    what: string,
    options: FakeQuoteOptions,
  ])[] = [
    ['UpToDate', 'UpToDate', 'it is', {}],
    ['SWHardeningNeeded', 'SWHardeningNeeded', 'it is', {}],
    ['ConfigurationNeeded', 'ConfigurationNeeded', 'it is', {}],
    ['ConfigurationAndSWHardeningNeeded', 'ConfigurationAndSWHardeningNeeded', 'it is', {}],
    ['OutOfDate', 'OutOfDate', 'it is', {}],
    ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'it is', {}],
    ['UpToDate', 'OutOfDate', 'its quoting enclave is old', qe(1)],
    ['SWHardeningNeeded', 'OutOfDate', 'its quoting enclave is old', qe(1)],
    ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'its quoting enclave is old', qe(1)],
  ];
  const tdRows: typeof rows = [
    ['UpToDate', 'OutOfDate', 'its TDX module is old', module(1)],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDateConfigurationNeeded', 'its TDX module is old', module(1)],
    ['UpToDate', 'TDRelaunchAdvised', 'the TD outlived an update', older(1)],
    ['ConfigurationNeeded', 'TDRelaunchAdvisedConfigurationNeeded', 'the TD outlived an update', older(1)],
  ];
  const sourceOf = { tdx: tdxSource, sgx: sgxSource };
  const cases = (['tdx', 'sgx'] as const).flatMap((tee) =>
    [...rows, ...(tee === 'tdx' ? tdRows : [])].map((row) => [tee, ...row] as const),
  );

  test.each(cases)('%s on %s is %s: %s', async (tee, standing, claim, _what, options) => {
    const pck = await site.platform(standing);
    const { status, claims } = await appraised(verigo.url, sourceOf[tee](site, { pck, ...options }));
    expect(claims['tcb_status']).toBe(claim);
    expect(claims['advisory_ids']).toEqual(
      claim === 'UpToDate' || standing === 'UpToDate' ? expect.any(Array) : [FAKE_ADVISORY],
    );
    expect(status).toBe(claim === 'UpToDate' ? 'affirming' : 'contraindicated');
  });

  const revoked: readonly (readonly [
    what: string,
    tee: 'tdx' | 'sgx',
    standing: FakeStanding,
    options: FakeQuoteOptions,
  ])[] = [
    ['the platform', 'tdx', 'Revoked', {}],
    ['the platform', 'sgx', 'Revoked', {}],
    ['the quoting enclave', 'tdx', 'UpToDate', qe(2)],
    ['the quoting enclave', 'sgx', 'OutOfDate', qe(2)],
    ['the TDX module', 'tdx', 'UpToDate', module(2)],
  ];
  test.each(revoked)(
    'where the TCB of %s is revoked, %s gets no token',
    async (_what, tee, standing, options) => {
      const reply = await replyTo(
        verigo.url,
        sourceOf[tee](site, { pck: await site.platform(standing), ...options }),
      );
      expect(reply).toMatchObject({ status: 401, code: 'TCB_REVOKED' });
      expect(await estate.administrator.decision(reply.decisionId)).toMatchObject({
        outcome: 'denied',
        code: 'TCB_REVOKED',
      });
    },
  );

  const unknown: readonly (readonly [what: string, code: string, source: () => Promise<EvidenceSource>])[] = [
    [
      'a level below all that Intel lists',
      'TCB_LEVEL_NOT_FOUND',
      async () => sgxSource(site, { pck: await site.platform('Revoked', { pceSvn: 12 }) }),
    ],
    [
      'another PCE',
      'TCB_INFO_MISMATCH',
      async () => tdxSource(site, { pck: await site.platform('UpToDate', { pceId: '0001' }) }),
    ],
    [
      "another signer's TDX module",
      'TDX_MODULE_MISMATCH',
      async () => tdxSource(site, { td: { mrSignerSeam: new Uint8Array(48).fill(1) } }),
    ],
    [
      "another signer's quoting enclave",
      'QE_IDENTITY_MISMATCH',
      async () => tdxSource(site, { qe: { mrSigner: new Uint8Array(32).fill(1) } }),
    ],
    [
      'a quoting enclave under debug',
      'QE_IDENTITY_MISMATCH',
      async () => sgxSource(site, { qe: { flags: 0x17n } }),
    ],
    [
      'a quoting enclave for TDs behind an enclave',
      'QE_IDENTITY_MISMATCH',
      async () => sgxSource(site, { qe: { isvProdId: 1 } }),
    ],
  ];
  test.each(unknown)('%s is refused: %s', async (_what, code, source) => {
    expect(await replyTo(verigo.url, await source())).toMatchObject({ status: 401, code });
  });

  test('a machine that Intel does not know cannot be checked', async () => {
    const pck = await site.platform('UpToDate', { fmspc: 'B0C06F000000' });
    expect(await replyTo(verigo.url, tdxSource(site, { pck }))).toMatchObject({
      status: 503,
      code: 'COLLATERAL_UNAVAILABLE',
    });
  });
});
