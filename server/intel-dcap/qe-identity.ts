import { z } from 'zod';
import { bytesEqual } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import { date, evaluationNumber, hexBytes, levelsOf, parseAs } from './document-schema.ts';
import { TcbError } from './tcb-error.ts';
import { type ComponentLevel, componentLevel, type Levels } from './tcb-info.ts';
import { findComponentLevel } from './tcb-level.ts';

/** What a quoting enclave says about itself, in the report that the platform signed. */
export interface QeReport {
  /** 4 bytes. */
  readonly miscSelect: Uint8Array;
  /** 16 bytes. */
  readonly attributes: Uint8Array;
  /** 32 bytes. */
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
}

/** Which of Intel's enclaves: the quoting enclave of SGX, the quote verification enclave, the quoting enclave of TDX. */
export type EnclaveId = 'QE' | 'QVE' | 'TD_QE';

/** By what Intel recognizes one of its enclaves, and how its versions stand. */
export interface QeIdentity {
  readonly id: EnclaveId;
  readonly issueDate: Date;
  readonly nextUpdate: Date;
  readonly evaluationNumber: number;
  readonly miscSelect: Uint8Array;
  readonly miscSelectMask: Uint8Array;
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly levels: Levels<ComponentLevel>;
}

const header = z.object({ version: z.int() });
const version2 = z.object({
  id: z.enum(['QE', 'QVE', 'TD_QE']),
  issueDate: date,
  nextUpdate: date,
  tcbEvaluationDataNumber: evaluationNumber,
  miscselect: hexBytes(4),
  miscselectMask: hexBytes(4),
  attributes: hexBytes(16),
  attributesMask: hexBytes(16),
  mrsigner: hexBytes(32),
  isvprodid: z.int().min(0).max(0xffff),
  tcbLevels: levelsOf(componentLevel()),
});

/**
 * Reads the value of `enclaveIdentity` that Intel signed, of version 2.
 * Throws TcbError QE_IDENTITY_VERSION_UNSUPPORTED, COLLATERAL_MALFORMED.
 */
export function readQeIdentity(json: unknown): QeIdentity {
  const { version } = parseAs(header, json, 'an enclave identity');
  if (version !== 2) {
    throw new TcbError(
      'QE_IDENTITY_VERSION_UNSUPPORTED',
      `expected an enclave identity of version 2, got version ${version}`,
    );
  }
  const parsed = parseAs(version2, json, 'an enclave identity of version 2');
  return {
    id: parsed.id,
    issueDate: parsed.issueDate,
    nextUpdate: parsed.nextUpdate,
    evaluationNumber: parsed.tcbEvaluationDataNumber,
    miscSelect: parsed.miscselect,
    miscSelectMask: parsed.miscselectMask,
    attributes: parsed.attributes,
    attributesMask: parsed.attributesMask,
    mrSigner: parsed.mrsigner,
    isvProdId: parsed.isvprodid,
    levels: parsed.tcbLevels,
  };
}

/**
 * Checks that a report is of the enclave that the identity describes, and finds the level of its version.
 * Throws TcbError QE_IDENTITY_MISMATCH, TCB_LEVEL_NOT_FOUND.
 */
export function verifyQeReport(report: QeReport, identity: QeIdentity): ComponentLevel {
  requireMasked('MISCSELECT', report.miscSelect, identity.miscSelect, identity.miscSelectMask);
  requireMasked('ATTRIBUTES', report.attributes, identity.attributes, identity.attributesMask);
  if (!bytesEqual(report.mrSigner, identity.mrSigner)) {
    throw mismatch('MRSIGNER', toHex(identity.mrSigner), toHex(report.mrSigner));
  }
  if (report.isvProdId !== identity.isvProdId) {
    throw mismatch('ISVPRODID', String(identity.isvProdId), String(report.isvProdId));
  }
  return findComponentLevel(identity.levels, report.isvSvn, 'the quoting enclave');
}

function requireMasked(name: string, actual: Uint8Array, expected: Uint8Array, mask: Uint8Array): void {
  if (bytesEqual(masked(actual, mask), masked(expected, mask))) return;
  throw mismatch(`${name} masked with ${toHex(mask)}`, toHex(expected), toHex(actual));
}

function masked(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => byte & (mask[index] ?? 0xff));
}

function mismatch(what: string, expected: string, came: string): TcbError {
  return new TcbError(
    'QE_IDENTITY_MISMATCH',
    `expected a quoting enclave with ${what} ${expected}, got ${came}`,
  );
}
