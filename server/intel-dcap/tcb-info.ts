import { z } from 'zod';
import {
  advisoryIds,
  date,
  evaluationNumber,
  hexBytes,
  hexName,
  isvSvn,
  levelsOf,
  parseAs,
} from './document-schema.ts';
import { TcbError } from './tcb-error.ts';
import { COMPONENT_STATUSES, PLATFORM_STATUSES } from './tcb-status.ts';

/** What is judged, since when, and why. */
interface Level<Status> {
  readonly status: Status;
  readonly date: Date;
  /** In Intel's order. */
  readonly advisoryIds: readonly string[];
}

/** A level of platforms: every security version of a platform has to be at least these. */
export interface PlatformLevel extends Level<(typeof PLATFORM_STATUSES)[number]> {
  /** Sixteen, of the CPU and its firmware. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** Sixteen, of TDX. `undefined` in a TCB info for SGX. */
  readonly tdxComponents: readonly number[] | undefined;
}

/** A level of something that has one security version: a TDX module, a quoting enclave. */
export interface ComponentLevel extends Level<(typeof COMPONENT_STATUSES)[number]> {
  readonly isvSvn: number;
}

/** Best level first; there is always one. */
export type Levels<T> = readonly [T, ...T[]];

/** What a TDX module has to say about itself. */
export interface TdxModuleSigner {
  /** 48 bytes. */
  readonly mrSigner: Uint8Array;
  /** 8 bytes. */
  readonly attributes: Uint8Array;
}

export interface TdxModuleIdentity extends TdxModuleSigner {
  /** `TDX_` and the module's major version as two upper-case hex digits. */
  readonly id: string;
  readonly levels: Levels<ComponentLevel>;
}

interface Judged<Status> {
  readonly tcbStatus: Status;
  readonly tcbDate: Date;
  readonly advisoryIDs: readonly string[];
}

interface WrittenLevel extends Judged<PlatformLevel['status']> {
  readonly tcb: {
    readonly sgxtcbcomponents: readonly number[];
    readonly pcesvn: number;
    readonly tdxtcbcomponents?: readonly number[];
  };
}

interface TcbInfoFacts {
  readonly version: 2 | 3;
  readonly issueDate: Date;
  readonly nextUpdate: Date;
  /** Twelve upper-case hex digits. */
  readonly fmspc: string;
  /** Four upper-case hex digits. */
  readonly pceId: string;
  /** tcbEvaluationDataNumber: which revision of Intel's judgement about all TCBs. */
  readonly evaluationNumber: number;
  readonly levels: Levels<PlatformLevel>;
}

/** What Intel says about the TCBs of all platforms of one kind (FMSPC). */
export type TcbInfo =
  | (TcbInfoFacts & { readonly tee: 'sgx' })
  | (TcbInfoFacts & {
      readonly tee: 'tdx';
      /** Of modules without a major version. */
      readonly tdxModule: TdxModuleSigner;
      readonly tdxModuleIdentities: readonly TdxModuleIdentity[];
    });

const COMPONENTS = 16;
const MAX_MODULES = 256;
const svn = z.int().min(0).max(0xff);
const pcesvn = z.int().min(0).max(0xffff);
const components = z
  .array(z.object({ svn }))
  .length(COMPONENTS)
  .transform((entries) => entries.map((entry) => entry.svn));
const judgement = {
  tcbDate: date,
  tcbStatus: z.enum(PLATFORM_STATUSES),
  advisoryIDs: advisoryIds,
};
const facts = {
  issueDate: date,
  nextUpdate: date,
  fmspc: hexName(12),
  pceId: hexName(4),
  // The only composition of a TCB that is defined: security versions of components, and PCESVN.
  tcbType: z.literal(0),
  tcbEvaluationDataNumber: evaluationNumber,
};

const sgxTcb = z.object({ sgxtcbcomponents: components, pcesvn });
const tdxTcb = z.object({ sgxtcbcomponents: components, pcesvn, tdxtcbcomponents: components });
/** Version 2 has sgxtcbcomp01svn to sgxtcbcomp16svn in place of the list. */
const flatTcb = z.preprocess((tcb) => {
  if (typeof tcb !== 'object' || tcb === null) return tcb;
  const flat = new Map<string, unknown>(Object.entries(tcb));
  const svns = Array.from({ length: COMPONENTS }, (_, index) =>
    flat.get(`sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`),
  );
  return { sgxtcbcomponents: svns.map((each) => ({ svn: each })), pcesvn: flat.get('pcesvn') };
}, sgxTcb);

const levelOfVersion2 = z.object({ tcb: flatTcb, ...judgement }).transform(toLevel);
const levelOfSgx = z.object({ tcb: sgxTcb, ...judgement }).transform(toLevel);
const levelOfTdx = z.object({ tcb: tdxTcb, ...judgement }).transform(toLevel);

const version2 = z.object({ ...facts, tcbLevels: levelsOf(levelOfVersion2) });
const version3OfSgx = z.object({ ...facts, tcbLevels: levelsOf(levelOfSgx) });
const signer = { mrsigner: hexBytes(48), attributes: hexBytes(8), attributesMask: hexBytes(8) };
const version3OfTdx = z.object({
  ...facts,
  tcbLevels: levelsOf(levelOfTdx),
  tdxModule: z.object(signer),
  tdxModuleIdentities: z
    .array(z.object({ id: z.string().max(64), ...signer, tcbLevels: levelsOf(componentLevel()) }))
    .max(MAX_MODULES)
    .default([]),
});
const header = z.object({ version: z.int(), id: z.string().max(64).optional() });

/**
 * Reads the value of `tcbInfo` that Intel signed, for SGX of version 2 or 3, for TDX of version 3.
 * Throws TcbError TCB_INFO_VERSION_UNSUPPORTED, COLLATERAL_MALFORMED.
 */
export function readTcbInfo(json: unknown): TcbInfo {
  const { version, id } = parseAs(header, json, 'a TCB info');
  if (version === 2 && (id === undefined || id === 'SGX')) {
    return { tee: 'sgx', ...toFacts(2, parseAs(version2, json, 'a TCB info of version 2')) };
  }
  if (version === 3 && id === 'SGX') {
    return { tee: 'sgx', ...toFacts(3, parseAs(version3OfSgx, json, 'a TCB info of version 3')) };
  }
  if (version === 3 && id === 'TDX') {
    const parsed = parseAs(version3OfTdx, json, 'a TCB info of version 3 for TDX');
    return {
      tee: 'tdx',
      ...toFacts(3, parsed),
      tdxModule: toSigner(parsed.tdxModule),
      tdxModuleIdentities: parsed.tdxModuleIdentities.map(({ id: module, tcbLevels, ...signed }) => ({
        id: module.toUpperCase(),
        levels: tcbLevels,
        ...toSigner(signed),
      })),
    };
  }
  throw new TcbError(
    'TCB_INFO_VERSION_UNSUPPORTED',
    `expected a TCB info of version 2 or 3 for SGX or of version 3 for TDX, got version ${version} for ${id ?? 'SGX'}`,
  );
}

/** The schema of a level of something with one security version. */
export function componentLevel(): z.ZodType<ComponentLevel> {
  return z
    .object({
      tcb: z.object({ isvsvn: isvSvn }),
      ...judgement,
      tcbStatus: z.enum(COMPONENT_STATUSES),
    })
    .transform(({ tcb, ...judged }) => ({ isvSvn: tcb.isvsvn, ...toJudgement(judged) }));
}

function toJudgement<Status>(judged: Judged<Status>): Level<Status> {
  return { status: judged.tcbStatus, date: judged.tcbDate, advisoryIds: judged.advisoryIDs };
}

function toLevel({ tcb, ...judged }: WrittenLevel): PlatformLevel {
  return {
    components: tcb.sgxtcbcomponents,
    pceSvn: tcb.pcesvn,
    tdxComponents: tcb.tdxtcbcomponents,
    ...toJudgement(judged),
  };
}

function toSigner(signed: {
  readonly mrsigner: Uint8Array;
  readonly attributes: Uint8Array;
}): TdxModuleSigner {
  return { mrSigner: signed.mrsigner, attributes: signed.attributes };
}

function toFacts(version: 2 | 3, parsed: z.output<typeof version3OfSgx>): TcbInfoFacts {
  return {
    version,
    issueDate: parsed.issueDate,
    nextUpdate: parsed.nextUpdate,
    fmspc: parsed.fmspc,
    pceId: parsed.pceId,
    evaluationNumber: parsed.tcbEvaluationDataNumber,
    levels: parsed.tcbLevels,
  };
}
