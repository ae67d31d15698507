import { isDeepStrictEqual } from 'node:util';
import { fromUtf8 } from '../../server/bytes/encoding.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { parseQuote, type Quote } from '../../server/intel-dcap/quote.ts';
import { readTcbInfo, type TcbInfo } from '../../server/intel-dcap/tcb-info.ts';
import { moduleMajor } from '../../server/intel-dcap/tcb-level.ts';
import { findTdxModuleLevel } from '../../server/intel-dcap/tdx-module.ts';
import { rawMembers } from '../../server/json/raw-json.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import type { QuoteJudgement, QuoteQuestion } from './dcap-qvl.ts';

/** How the two judgements compare. `difference` is the name of one that is known. */
export type Comparison =
  | { readonly kind: 'same' }
  | { readonly kind: 'explained'; readonly difference: DifferenceName }
  | { readonly kind: 'unexplained'; readonly text: string };

export type DifferenceName =
  | 'collateral past its time'
  | 'revocation lists'
  | 'what policies judge'
  | 'TDX module'
  | 'TD preserving'
  | 'out of date and misconfigured'
  | 'TCB info of version 2'
  | 'authentication data'
  | 'forms and names';

interface Facts {
  /** `undefined` where we cannot read it. */
  readonly quote: Quote | undefined;
  readonly tcbInfo: TcbInfo | undefined;
}

type Explains = (ours: QuoteJudgement, theirs: QuoteJudgement, facts: Facts) => boolean;

/**
 * All that @phala/dcap-qvl 0.3.9 judges differently, as read in its sources: why, and in which cases. A difference that is
 * not here is a defect, of one or the other.
 */
const DIFFERENCES: Readonly<Record<DifferenceName, Explains>> = {
  // It takes nothing past its nextUpdate; we do within `max_stale`, and say so in a claim.
  'collateral past its time': (ours, theirs) =>
    ours.kind === 'genuine' && isRefusal(theirs, /^(?:TCBInfo|QE Identity) expired$/),

  // Of a revocation list it looks at the serial numbers, but neither at who signed it nor at its dates, and one that it cannot
  // read is none. What it says is genuine has documents that are in order, so that a forgery that we found is a list.
  'revocation lists': (ours, theirs) =>
    theirs.kind === 'genuine' &&
    isRefusal(ours, /^(?:REVOCATION_LIST_(?:UNAVAILABLE|EXPIRED|MISMATCH)|COLLATERAL_(?:FORGED|MALFORMED))$/),

  // It refuses debugging, trust domains without SEPT_VE_DISABLE or with a service TD, and attributes that it does not know.
  // To us those are claims: what an enclave may do is for policies to judge.
  'what policies judge': (ours, theirs) =>
    ours.kind === 'genuine' &&
    isRefusal(
      theirs,
      /^(?:Debug mode is enabled|SEPT_VE_DISABLE is not enabled|Reserved bits in TD .*|Invalid mr service td)$/,
    ),

  // It never reads the identities of TDX modules: nor who signed a module, nor its level. The module's own version (the first two
  // components of TEE_TCB_SVN) it compares with the platform's levels, which Intel gives up where the module has a major version.
  'TDX module': (ours, theirs, { quote, tcbInfo }) => {
    if (quote === undefined || quote.body.kind === 'sgx' || tcbInfo?.tee !== 'tdx') return false;
    const { teeTcbSvn } = quote.body.report;
    if (isRefusal(ours, /^TDX_MODULE_MISMATCH$/)) return theirs.kind === 'genuine';
    return isAboutTcb(ours, theirs) && moduleMajor(teeTcbSvn) > 0 && isModuleJudged(teeTcbSvn, tcbInfo);
  },

  // It does not read TEE_TCB_SVN_2, by which a TD that outlived an update of its module is advised to be launched again, and
  // which has to reach a level too.
  'TD preserving': (ours, theirs, { quote }) => {
    if (quote?.body.kind !== 'td-1.5' || !isAboutTcb(ours, theirs)) return false;
    const { teeTcbSvn, teeTcbSvn2 } = quote.body.report;
    if (teeTcbSvn2 === undefined || isDeepStrictEqual([...teeTcbSvn], [...teeTcbSvn2])) return false;
    return ours.kind !== 'genuine' || ours.tcbStatus.startsWith('TDRelaunchAdvised');
  },

  // The worse of two statuses is all that it keeps. Where a quoting enclave is out of date on a platform that needs
  // configuration, Intel's library says both.
  'out of date and misconfigured': (ours, theirs) =>
    ours.kind === 'genuine' &&
    theirs.kind === 'genuine' &&
    ours.tcbStatus === 'OutOfDateConfigurationNeeded' &&
    theirs.tcbStatus === 'OutOfDate' &&
    isDeepStrictEqual(ours.advisoryIds, theirs.advisoryIds),

  // It reads the components of version 3 only.
  'TCB info of version 2': (_ours, theirs, { tcbInfo }) =>
    tcbInfo?.version === 2 && isRefusal(theirs, /^Failed to decode TcbInfo$/),

  // It hashes 32 bytes of authentication data, whatever their number.
  'authentication data': (_ours, theirs, { quote }) =>
    quote !== undefined &&
    quote.signatureData.authenticationData.byteLength !== 32 &&
    isRefusal(theirs, /^QE report hash mismatch$/),

  // It takes what we refuse by its form: another vendor's quoting enclave, reserved bytes, what follows a quote, a QE report that
  // says it is something else, PCKs and PCEs of other names, identities of version 3.
  'forms and names': (ours, theirs) =>
    theirs.kind === 'genuine' &&
    isRefusal(
      ours,
      /^(?:QE_VENDOR_UNKNOWN|RESERVED_NOT_ZERO|TRAILING_BYTES|QUOTE_TOO_LARGE|QUOTE_BODY_SIZE_MISMATCH|CERTIFICATION_DATA_UNSUPPORTED|PCK_(?:CHAIN|EXTENSION)_MALFORMED|TCB_INFO_MISMATCH|QE_IDENTITY_VERSION_UNSUPPORTED)$/,
    ),
};

/** Whether the two say the same: genuine with the same status and advisories, or not genuine, whatever the reason. */
export function compareJudgements(
  question: QuoteQuestion,
  ours: QuoteJudgement,
  theirs: QuoteJudgement,
): Comparison {
  if (isSame(ours, theirs)) return { kind: 'same' };
  const facts = { quote: readOrNone(() => parseQuote(question.quote)), tcbInfo: tcbInfoOf(question) };
  for (const [name, explains] of Object.entries(DIFFERENCES)) {
    if (explains(ours, theirs, facts)) return { kind: 'explained', difference: name as DifferenceName };
  }
  return { kind: 'unexplained', text: `we say ${textOf(ours)}, dcap-qvl says ${textOf(theirs)}` };
}

function isSame(ours: QuoteJudgement, theirs: QuoteJudgement): boolean {
  if (ours.kind !== 'genuine') return theirs.kind !== 'genuine';
  return isDeepStrictEqual(ours, theirs);
}

function isRefusal(judgement: QuoteJudgement, why: RegExp): boolean {
  return judgement.kind !== 'genuine' && why.test(judgement.why);
}

/** Neither is wrong about signatures: at most, one of them finds no level, or one that was revoked. */
function isAboutTcb(ours: QuoteJudgement, theirs: QuoteJudgement): boolean {
  return (
    (ours.kind === 'genuine' ||
      isRefusal(ours, /^(?:TCB_LEVEL_NOT_FOUND|TCB_REVOKED|TDX_MODULE_MISMATCH)$/)) &&
    (theirs.kind === 'genuine' ||
      isRefusal(theirs, /^(?:No matching TCB level found|TCB status is invalid: Revoked)$/))
  );
}

/** Whether the module's version or identity makes a difference to anything. */
function isModuleJudged(teeTcbSvn: Uint8Array, tcbInfo: Extract<TcbInfo, { readonly tee: 'tdx' }>): boolean {
  const [minor = 0, major = 0] = teeTcbSvn;
  const isBelowALevel = tcbInfo.levels.some(
    ({ tdxComponents = [] }) => minor < (tdxComponents[0] ?? 0) || major < (tdxComponents[1] ?? 0),
  );
  const level = readOrNone(() => findTdxModuleLevel(teeTcbSvn, tcbInfo));
  const isGood = level?.status === 'UpToDate' && level.advisoryIds.length === 0;
  return isBelowALevel || !isGood;
}

function tcbInfoOf({ collateral }: QuoteQuestion): TcbInfo | undefined {
  return readOrNone(() => {
    const text = rawMembers(fromUtf8(collateral.tcbInfo.body)).get('tcbInfo') ?? '';
    return readTcbInfo(parseJson(text));
  });
}

function readOrNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function textOf(judgement: QuoteJudgement): string {
  return judgement.kind === 'genuine'
    ? `${judgement.tcbStatus} [${judgement.advisoryIds.join(', ')}]`
    : `${judgement.kind} (${judgement.why})`;
}
