import { bytesEqual } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import { TcbError } from './tcb-error.ts';
import type { ComponentLevel, TcbInfo, TdxModuleIdentity, TdxModuleSigner } from './tcb-info.ts';
import { findComponentLevel, moduleMajor } from './tcb-level.ts';

type TdxTcbInfo = Extract<TcbInfo, { readonly tee: 'tdx' }>;

/** What a trust domain's report says about the TDX module that runs it. */
export interface TdxModuleReport {
  /** 16 bytes. */
  readonly teeTcbSvn: Uint8Array;
  /** 48 bytes. */
  readonly mrSignerSeam: Uint8Array;
  /** 8 bytes. */
  readonly seamAttributes: Uint8Array;
}

/**
 * Checks that the module is Intel's: signed by whom the TCB info says, with no attribute set that it does not have. The mask is not
 * used, so that no attribute passes unseen. Throws TcbError TDX_MODULE_MISMATCH.
 */
export function verifyTdxModule(report: TdxModuleReport, tcbInfo: TdxTcbInfo): void {
  const expected = signerOf(tcbInfo, report.teeTcbSvn);
  if (!bytesEqual(report.mrSignerSeam, expected.mrSigner)) {
    throw mismatch(`signed by ${toHex(expected.mrSigner)}`, toHex(report.mrSignerSeam));
  }
  const isZero = report.seamAttributes.every((byte) => byte === 0);
  if (!isZero || !bytesEqual(report.seamAttributes, expected.attributes)) {
    throw mismatch('with attributes zero and as the TCB info has them', toHex(report.seamAttributes));
  }
}

/**
 * The level of the module in TEE_TCB_SVN; `undefined` for a module without a major version, which the levels of the platform judge.
 * Throws TcbError TDX_MODULE_MISMATCH, TCB_LEVEL_NOT_FOUND.
 */
export function findTdxModuleLevel(teeTcbSvn: Uint8Array, tcbInfo: TdxTcbInfo): ComponentLevel | undefined {
  if (moduleMajor(teeTcbSvn) === 0) return undefined;
  const { levels, id } = findTdxModuleIdentity(teeTcbSvn, tcbInfo);
  return findComponentLevel(levels, teeTcbSvn[0] ?? 0, `the TDX module ${id}`);
}

/** The identity of the module's major version. Throws TcbError TDX_MODULE_MISMATCH. */
export function findTdxModuleIdentity(teeTcbSvn: Uint8Array, tcbInfo: TdxTcbInfo): TdxModuleIdentity {
  const id = `TDX_${moduleMajor(teeTcbSvn).toString(16).toUpperCase().padStart(2, '0')}`;
  const identity = tcbInfo.tdxModuleIdentities.find((candidate) => candidate.id === id);
  if (identity !== undefined) return identity;
  const known = tcbInfo.tdxModuleIdentities.map((candidate) => candidate.id).join(', ');
  throw mismatch(`that the TCB info knows (${known})`, id);
}

function signerOf(tcbInfo: TdxTcbInfo, teeTcbSvn: Uint8Array): TdxModuleSigner {
  return moduleMajor(teeTcbSvn) === 0 ? tcbInfo.tdxModule : findTdxModuleIdentity(teeTcbSvn, tcbInfo);
}

function mismatch(expected: string, came: string): TcbError {
  return new TcbError('TDX_MODULE_MISMATCH', `expected a TDX module ${expected}, got ${came}`);
}
