import { createFakeIntel, type FakeIntel, type FakePck, type FakeQuoteOptions, pemOf } from './fake-intel.ts';
import type { FakePckOptions } from './fake-intel-certificates.ts';
import {
  FAKE_MODULE_SIGNER,
  FAKE_PLATFORM,
  FAKE_QE,
  fakeComponentLevel,
  fakePlatformLevel,
  fakeQeIdentity,
  fakeSgxTcbInfo,
  fakeTdxTcbInfo,
  signFakeDocument,
} from './fake-intel-documents.ts';
import type { FakePcsContent } from './fake-pcs.ts';

/** How Intel says that a platform stands, by its own security versions. */
export type FakeStanding = (typeof LEVELS)[number][0];

/** What a test chooses about all that Intel says of the site; the rest is as it should be. */
export interface FakeSiteChanges {
  readonly tdxTcbInfo?: Members;
  /** Of another kind of machines, in place of the site's. */
  readonly fmspc?: string;
  /** Who signs the documents, in place of Intel. */
  readonly signer?: FakeIntel;
}

type Members = Readonly<Record<string, unknown>>;

/** Machines of one kind (FMSPC), and an Intel that knows it: quotes and collateral fit each other. */
export interface FakeIntelSite {
  readonly intel: FakeIntel;
  /** PEM, to be believed. */
  readonly rootPem: string;
  /** A machine that stands so. */
  platform(standing: FakeStanding, options?: FakePckOptions): Promise<FakePck>;
  /** Of a TD on a machine that is up to date, unless said otherwise. */
  tdQuote(options?: FakeQuoteOptions): Promise<Uint8Array>;
  enclaveQuote(options?: FakeQuoteOptions): Promise<Uint8Array>;
  /** What Intel's service has, issued half a day before and valid for thirty days. */
  content(at: Date, changes?: FakeSiteChanges): Promise<FakePcsContent>;
}

/** Best first; the first component of the platform's TCB, and the microcode that TDX needs. */
const LEVELS = [
  ['UpToDate', 8, 4],
  ['SWHardeningNeeded', 7, 4],
  ['ConfigurationNeeded', 6, 4],
  ['ConfigurationAndSWHardeningNeeded', 5, 4],
  ['OutOfDate', 4, 3],
  ['OutOfDateConfigurationNeeded', 3, 3],
  ['Revoked', 2, 3],
] as const;
/** Of the quoting enclave and of the TDX module: one version each, newest first. */
const COMPONENT_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'];
export const FAKE_ADVISORY = 'INTEL-SA-00615';
const [MODULE_MINOR, , LATE_MICROCODE] = [0, 1, 2] as const;
const HALF_A_DAY_MS = 43_200_000;
const THIRTY_DAYS_MS = 30 * 86_400_000;

/** TEE_TCB_SVN of the site's TDX module; older where it is said to be. */
export function fakeTeeTcbSvn(
  older: { readonly minor?: number; readonly microcode?: number } = {},
): Uint8Array {
  const svn = Uint8Array.from(FAKE_PLATFORM.teeTcbSvn);
  svn[MODULE_MINOR]! -= older.minor ?? 0;
  svn[LATE_MICROCODE]! -= older.microcode ?? 0;
  return svn;
}

export async function createFakeIntelSite(): Promise<FakeIntelSite> {
  const intel = await createFakeIntel();
  const platform: FakeIntelSite['platform'] = async (standing, options) => {
    const [, first] = LEVELS.find(([name]) => name === standing)!;
    const { fmspc, pceId, pceSvn } = FAKE_PLATFORM;
    return await intel.pck({ fmspc, pceId, pceSvn, components: componentsFrom(first), ...options });
  };
  const upToDate = await platform('UpToDate');
  const qe = { mrSigner: Buffer.from(FAKE_QE.mrsigner, 'hex'), isvSvn: FAKE_QE.isvsvn };
  const quote = async (options: FakeQuoteOptions): Promise<Uint8Array> =>
    await intel.quote({ pck: upToDate, ...options, qe: { ...qe, ...options.qe } });
  return {
    intel,
    rootPem: pemOf([intel.authority('root').der]),
    platform,
    tdQuote: async (options = {}) => {
      const td = { teeTcbSvn: fakeTeeTcbSvn(), teeTcbSvn2: fakeTeeTcbSvn(), ...options.td };
      return await quote({ ...options, td });
    },
    enclaveQuote: async (options = {}) => await quote({ ...options, version: 3 }),
    content: async (at, changes = {}) => await contentOf(intel, at, changes),
  };
}

async function contentOf(intel: FakeIntel, at: Date, changes: FakeSiteChanges): Promise<FakePcsContent> {
  const [from, until] = [new Date(at.getTime() - HALF_A_DAY_MS), new Date(at.getTime() + THIRTY_DAYS_MS)];
  const dates = { issueDate: secondsOf(from), nextUpdate: secondsOf(until) };
  const { privateKey } = (changes.signer ?? intel).tcbSigning;
  const text = (member: 'tcbInfo' | 'enclaveIdentity', value: Members): string =>
    Buffer.from(signFakeDocument(member, value, privateKey)).toString();
  const identity = (id: string): string =>
    text('enclaveIdentity', fakeQeIdentity(id, { ...dates, tcbLevels: componentLevels(FAKE_QE.isvsvn) }));
  const lists = { thisUpdate: from, nextUpdate: until };
  const { fmspc = FAKE_PLATFORM.fmspc } = changes;
  return {
    tcbInfos: {
      [`tdx/${fmspc}`]: text(
        'tcbInfo',
        fakeTdxTcbInfo({
          ...dates,
          fmspc,
          tdxModuleIdentities: [
            {
              id: 'TDX_01',
              ...FAKE_MODULE_SIGNER,
              tcbLevels: componentLevels(FAKE_PLATFORM.teeTcbSvn[MODULE_MINOR]),
            },
          ],
          tcbLevels: platformLevels('tdx'),
          ...changes.tdxTcbInfo,
        }),
      ),
      [`sgx/${fmspc}`]: text(
        'tcbInfo',
        fakeSgxTcbInfo({ ...dates, fmspc, tcbLevels: platformLevels('sgx') }),
      ),
    },
    qeIdentities: { tdx: identity('TD_QE'), sgx: identity('QE') },
    revocationLists: {
      platform: await intel.pckCrl('platform', lists),
      processor: await intel.pckCrl('processor', lists),
      root: await intel.rootCrl(lists),
    },
    signingChain: pemOf(intel.tcbSigning.chain),
    pckChains: {
      platform: pemOf(intel.issuerChain('platform')),
      processor: pemOf(intel.issuerChain('processor')),
    },
  };
}

function platformLevels(tee: 'sgx' | 'tdx'): readonly Members[] {
  return LEVELS.map(([tcbStatus, first, microcode]) => {
    const tdx = tee === 'tdx' ? changed(FAKE_PLATFORM.teeTcbSvn, LATE_MICROCODE, microcode) : undefined;
    const advisories = tcbStatus === 'UpToDate' ? {} : { advisoryIDs: [FAKE_ADVISORY] };
    return fakePlatformLevel(componentsFrom(first), tdx, { tcbStatus, ...advisories });
  });
}

function componentLevels(newest: number): readonly Members[] {
  return COMPONENT_STATUSES.map((tcbStatus, age) => fakeComponentLevel(newest - age, { tcbStatus }));
}

function componentsFrom(first: number): readonly number[] {
  return changed(FAKE_PLATFORM.components, 0, first);
}

function changed(svns: readonly number[], index: number, svn: number): readonly number[] {
  return svns.with(index, svn);
}

function secondsOf(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '');
}

/** What an operator would put into files to import them: documents, lists and the chains of their signers. */
export function filesOf(content: FakePcsContent): ReadonlyMap<string, Uint8Array> {
  const { tcbInfos = {}, qeIdentities = {}, revocationLists = {}, signingChain = '' } = content;
  const named = (prefix: string, bodies: Readonly<Record<string, string | Uint8Array>>, suffix: string) =>
    Object.entries(bodies).map(
      ([name, body]) => [`${prefix}-${name.replaceAll('/', '-')}.${suffix}`, Buffer.from(body)] as const,
    );
  return new Map<string, Uint8Array>([
    ...named('tcb-info', tcbInfos, 'json'),
    ...named('qe-identity', qeIdentities, 'json'),
    ...named('crl', revocationLists, 'der'),
    ['tcb-signing-chain.pem', Buffer.from(signingChain)],
  ]);
}
