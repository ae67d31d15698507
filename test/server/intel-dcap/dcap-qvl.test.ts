import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createFakeIntel, type FakeIntel, type FakeQuoteOptions } from '../../fakes/fake-intel.ts';
import {
  FAKE_PLATFORM,
  fakeComponentLevel,
  fakePlatformLevel,
  fakeTcbInfoOfVersion2,
} from '../../fakes/fake-intel-documents.ts';
import {
  createFakeIntelPlatform,
  type FakeCollateralOverrides,
  type FakeIntelPlatform,
} from '../../fakes/fake-intel-platform.ts';
import { filled } from '../../fakes/quote-bytes.ts';
import {
  judgeByDcapQvl,
  judgeByUs,
  type QuoteJudgement,
  type QuoteQuestion,
} from '../../harness/dcap-qvl.ts';
import {
  type Comparison,
  compareJudgements,
  type DifferenceName,
} from '../../harness/dcap-qvl-differences.ts';
import { documentsOf, type Estate, estates, moduleIdentity, tdOf, withModule } from './estates.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const LATE = new Date('2026-06-15T12:00:00Z');
const { components } = FAKE_PLATFORM;
const SEPT_VE_DISABLE = 1n << 28n;

describe('@phala/dcap-qvl', () => {
  let intel: FakeIntel;
  let platform: FakeIntelPlatform;

  beforeAll(async () => {
    intel = await createFakeIntel();
    platform = await createFakeIntelPlatform(intel);
  });

  async function compare(
    question: QuoteQuestion,
    maxStaleSeconds = 0,
  ): Promise<Comparison & { readonly ours: QuoteJudgement; readonly theirs: QuoteJudgement }> {
    const options = { anchors: intel.anchors, revocation: 'required', maxStaleSeconds } as const;
    const ours = await judgeByUs(question, options);
    const theirs = judgeByDcapQvl(question, intel.authority('root').der);
    return { ...compareJudgements(question, ours, theirs), ours, theirs };
  }

  async function questionOf(estate: Estate): Promise<QuoteQuestion> {
    const { tee, body, moduleVersion, moduleVersionNow, qeSvn } = estate;
    const td = tdOf(moduleVersion, moduleVersionNow);
    const quote = await platform.quote(tee, {
      ...(tee === 'tdx' && body === 'td-1.5' && { version: 5 }),
      td,
      qe: { isvSvn: qeSvn },
    });
    return { quote, collateral: await platform.collateral(tee, documentsOf(estate)), at: NOW };
  }

  it('judges as we do whatever Intel lists, but for what is known', async () => {
    const seen = { same: 0, explained: 0, genuine: 0 };
    await fc.assert(
      fc.asyncProperty(estates, async (estate) => {
        const comparison = await compare(await questionOf(estate));
        expect(comparison).not.toHaveProperty('text');
        if (comparison.kind !== 'unexplained') seen[comparison.kind] += 1;
        if (comparison.kind === 'same' && comparison.ours.kind === 'genuine') seen.genuine += 1;
      }),
      { numRuns: 150 },
    );
    // Else nothing was compared.
    expect(seen.same).toBeGreaterThan(seen.explained);
    expect(seen.genuine).toBeGreaterThan(10);
  });

  it('judges as we do, without exception, where Intel lists no module and nothing is merged', async () => {
    const plain = estates.map((estate) => ({
      ...estate,
      body: 'td-1.0' as const,
      moduleVersion: [estate.moduleVersion[0], 0] as const,
      levelModule: [estate.levelModule[0], 0] as const,
      qeLevels: estate.qeLevels.map((level) => ({ ...level, status: 'UpToDate' })),
    }));
    await fc.assert(
      fc.asyncProperty(plain, async (estate) => {
        expect(await compare(await questionOf(estate))).toMatchObject({ kind: 'same' });
      }),
      { numRuns: 100 },
    );
  });

  it.each<readonly ['sgx' | 'tdx', FakeQuoteOptions['version']]>([
    ['sgx', 3],
    ['tdx', 4],
    ['tdx', 5],
  ])('refuses %s quotes of version %i with any bit flipped, as we do', async (tee, quoteVersion) => {
    const quote = await platform.quote(tee, quoteVersion === undefined ? {} : { version: quoteVersion });
    const collateral = await platform.collateral(tee);
    expect(await compare({ quote, collateral, at: NOW })).toMatchObject({
      kind: 'same',
      ours: { kind: 'genuine', tcbStatus: 'UpToDate' },
    });
    // What follows the attestation key is certificates in the end, in whose text not every bit counts.
    const last = quote.byteLength - 3 * 1024;
    const places = fc.record({ index: fc.nat(last), bit: fc.nat(7) });
    await fc.assert(
      fc.asyncProperty(places, async ({ index, bit }) => {
        const flipped = Uint8Array.from(quote);
        flipped[index]! ^= 1 << bit;
        const comparison = await compare({ quote: flipped, collateral, at: NOW });
        expect(comparison.ours.kind).toBe('refused');
        expect(comparison.kind).not.toBe('unexplained');
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['a revoked PCK', { pckList: { revoked: ['3301'] } }],
    ['a revoked authority', { rootList: { revoked: ['2202'] } }],
    ['a revoked signer of TCB infos', { rootList: { revoked: ['2204'] } }],
    ['the TCB info of another platform', { tcbInfo: { fmspc: '00A06D080000' } }],
    ['the identity of another enclave', { qeIdentity: { mrsigner: 'AA'.repeat(32) } }],
    ['the identity of the enclave for SGX', { qeIdentity: { id: 'QE' } }],
    ['documents of the future', { tcbInfo: { issueDate: '2026-06-02T00:00:00Z' } }],
    ['an expired TCB info', { tcbInfo: { nextUpdate: '2026-05-31T00:00:00Z' } }],
    ['an expired identity', { qeIdentity: { nextUpdate: '2026-05-31T00:00:00Z' } }],
  ] satisfies readonly (readonly [string, FakeCollateralOverrides])[])(
    'refuses %s, as we do',
    async (_what, overrides) => {
      const question = { quote: await platform.quote('tdx'), at: NOW };
      const collateral = await platform.collateral('tdx', overrides);
      const { kind, ours } = await compare({ ...question, collateral });
      expect({ kind, ours: ours.kind === 'genuine' }).toEqual({ kind: 'same', ours: false });
    },
  );

  /** Each known difference, with a case in which it shows. */
  const SHOWN: Readonly<Record<DifferenceName, () => Promise<QuoteQuestion>>> = {
    'collateral past its time': async () => ({
      quote: await platform.quote('tdx'),
      collateral: await platform.collateral('tdx', { pckList: UNTIL_JULY, rootList: UNTIL_JULY }),
      at: LATE,
    }),
    'revocation lists': async () => ({
      quote: await platform.quote('tdx'),
      collateral: await platform.collateral('tdx', { pckList: { signer: intel.authority('processor') } }),
      at: NOW,
    }),
    'what policies judge': async () => await usual({ td: { tdAttributes: SEPT_VE_DISABLE | 1n } }),
    'TDX module': async () =>
      await usual({}, { tdxModuleIdentities: [moduleIdentity([fakeComponentLevel(6, OUT_OF_DATE)])] }),
    'TD preserving': async () =>
      await usual(
        { version: 5, td: tdOf([6, 0], [7, 0]) },
        {
          tcbLevels: [
            fakePlatformLevel(components, withModule([7, 0])),
            fakePlatformLevel(components, withModule([6, 0]), OUT_OF_DATE),
          ],
        },
      ),
    'out of date and misconfigured': async () => ({
      quote: await platform.quote('sgx'),
      collateral: await platform.collateral('sgx', {
        tcbInfo: {
          tcbLevels: [fakePlatformLevel(components, undefined, { tcbStatus: 'ConfigurationNeeded' })],
        },
        qeIdentity: { tcbLevels: [fakeComponentLevel(8, OUT_OF_DATE)] },
      }),
      at: NOW,
    }),
    'TCB info of version 2': async () => ({
      quote: await platform.quote('sgx'),
      collateral: await platform.collateral('sgx', {
        tcbInfo: { ...fakeTcbInfoOfVersion2(), id: undefined },
      }),
      at: NOW,
    }),
    'authentication data': async () => await usual({ authenticationData: filled(31, 1) }),
    'forms and names': async () => await usual({ padding: Uint8Array.of(0, 1) }),
  };

  async function usual(
    options: FakeQuoteOptions,
    tcbInfo: FakeCollateralOverrides['tcbInfo'] = {},
  ): Promise<QuoteQuestion> {
    return {
      quote: await platform.quote('tdx', options),
      collateral: await platform.collateral('tdx', { tcbInfo }),
      at: NOW,
    };
  }

  it.each(Object.keys(SHOWN) as DifferenceName[])('differs from us by %s', async (difference) => {
    const question = await SHOWN[difference]();
    expect(await compare(question, 7 * 24 * 3600)).toMatchObject({ kind: 'explained', difference });
  });
});

const UNTIL_JULY = { nextUpdate: new Date('2026-07-01T00:00:00Z') };
const OUT_OF_DATE = { tcbStatus: 'OutOfDate' };
