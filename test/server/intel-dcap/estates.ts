import * as fc from 'fast-check';
import { COMPONENT_STATUSES, PLATFORM_STATUSES } from '../../../server/intel-dcap/tcb-status.ts';
import type { FakeQuoteOptions } from '../../fakes/fake-intel.ts';
import {
  FAKE_PLATFORM,
  fakeComponentLevel,
  fakePlatformLevel,
  FAKE_MODULE_SIGNER as SIGNER,
} from '../../fakes/fake-intel-documents.ts';
import type { FakeCollateralOverrides } from '../../fakes/fake-intel-platform.ts';

export type ModuleVersion = readonly [minor: number, major: number];

/** What Intel lists, and what of it a platform has. */
export interface Estate {
  readonly tee: 'sgx' | 'tdx';
  readonly body: 'td-1.0' | 'td-1.5';
  /** TEE_TCB_SVN, and that of now. */
  readonly moduleVersion: ModuleVersion;
  readonly moduleVersionNow: ModuleVersion;
  readonly qeSvn: number;
  /** Best first: how far below the platform the level asks for, in one place. Negative: above it. */
  readonly levels: readonly {
    readonly status: string;
    /** 0 to 15: of the processor; 16: PCESVN; 17 to 30: of TDX beside its module. */
    readonly place: number;
    readonly below: number;
    readonly advisories: readonly string[];
  }[];
  readonly qeLevels: readonly ComponentChoice[];
  readonly moduleLevels: readonly ComponentChoice[];
  /** TDX module: what the levels of the platform ask of the first two components. */
  readonly levelModule: ModuleVersion;
}

interface ComponentChoice {
  readonly svn: number;
  readonly status: string;
  readonly advisories: readonly string[];
}

const advisories = fc.uniqueArray(fc.constantFrom('INTEL-SA-00001', 'INTEL-SA-00002', 'INTEL-SA-00003'));
const componentLevels = fc
  .uniqueArray(
    fc.record({
      svn: fc.integer({ min: 2, max: 7 }),
      status: fc.constantFrom('UpToDate', 'OutOfDate', ...COMPONENT_STATUSES),
      advisories,
    }),
    { minLength: 1, maxLength: 3, selector: ({ svn }) => svn },
  )
  .map((levels) => levels.toSorted((one, other) => other.svn - one.svn));
const version = (major: fc.Arbitrary<number>): fc.Arbitrary<ModuleVersion> =>
  fc.tuple(fc.integer({ min: 4, max: 8 }), major);
/** Estates in which most platforms reach something. */
export const estates: fc.Arbitrary<Estate> = fc.record({
  tee: fc.constantFrom('sgx', 'tdx'),
  body: fc.constantFrom('td-1.0', 'td-1.5'),
  moduleVersion: version(fc.constantFrom(0, 1, 3)),
  moduleVersionNow: version(fc.constantFrom(0, 1, 3)),
  qeSvn: fc.integer({ min: 4, max: 8 }),
  levels: fc.array(
    fc.record({
      status: fc.constantFrom(...PLATFORM_STATUSES),
      place: fc.integer({ min: 0, max: 30 }),
      below: fc.constantFrom(-1, 0, 0, 1),
      advisories,
    }),
    { minLength: 1, maxLength: 4 },
  ),
  qeLevels: componentLevels,
  moduleLevels: componentLevels,
  levelModule: fc.tuple(fc.integer({ min: 2, max: 6 }), fc.constantFrom(0, 0, 1)),
});

const { components, teeTcbSvn, pceSvn } = FAKE_PLATFORM;
/** Of the places at which a level may ask for another version: PCESVN, after the sixteen of the processor. */
const PCE_PLACE = 16;

export function documentsOf(estate: Estate): FakeCollateralOverrides {
  const modules = ['TDX_01', 'TDX_03'].map((id) =>
    moduleIdentity(estate.moduleLevels.map(componentLevelOf), id),
  );
  return {
    tcbInfo: {
      tcbLevels: estate.levels.map((level) => levelOf(level, estate)),
      ...(estate.tee === 'tdx' && { tdxModuleIdentities: modules }),
    },
    qeIdentity: { tcbLevels: estate.qeLevels.map(componentLevelOf) },
  };
}

function levelOf(
  { status, place, below, advisories: advisoryIDs }: Estate['levels'][number],
  { tee, levelModule }: Estate,
): Readonly<Record<string, unknown>> {
  const asked = (svns: readonly number[], at: number): readonly number[] =>
    svns.map((svn, index) => (index === at ? Math.max(0, svn - below) : svn));
  const tdx = asked(withModule(levelModule), place - PCE_PLACE + 1);
  const level = fakePlatformLevel(asked(components, place), tee === 'tdx' ? tdx : undefined, {
    tcbStatus: status,
    advisoryIDs,
  });
  const tcb = level['tcb'] as Readonly<Record<string, unknown>>;
  return place === PCE_PLACE ? { ...level, tcb: { ...tcb, pcesvn: pceSvn - below } } : level;
}

function componentLevelOf({ svn, status, advisories: advisoryIDs }: ComponentChoice): unknown {
  return fakeComponentLevel(svn, { tcbStatus: status, advisoryIDs });
}

export function moduleIdentity(
  tcbLevels: readonly unknown[],
  id = 'TDX_01',
): Readonly<Record<string, unknown>> {
  return { id, ...SIGNER, tcbLevels };
}

/** TEE_TCB_SVN of the platform with another module. */
export function withModule([minor, major]: ModuleVersion): readonly number[] {
  return [minor, major, ...teeTcbSvn.slice(2)];
}

export function tdOf(launch: ModuleVersion, now: ModuleVersion): NonNullable<FakeQuoteOptions['td']> {
  return { teeTcbSvn: Uint8Array.from(withModule(launch)), teeTcbSvn2: Uint8Array.from(withModule(now)) };
}
