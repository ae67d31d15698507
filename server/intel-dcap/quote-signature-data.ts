import { ByteReader } from '../bytes/byte-reader.ts';
import { ENCLAVE_REPORT_BYTES, type EnclaveReport, readEnclaveReport } from './enclave-report.ts';
import { QuoteError } from './quote-error.ts';
import type { QuoteHeader } from './quote-header.ts';

/** What follows the signed part of a quote, read but not believed. The byte strings are views of the input. */
export interface QuoteSignatureData {
  /** r ‖ s over header and body, big-endian, by the attestation key. */
  readonly signature: Uint8Array;
  /** x ‖ y, big-endian. */
  readonly attestationKey: Uint8Array;
  readonly qeReport: EnclaveReport;
  /** r ‖ s over the QE report, by the PCK. */
  readonly qeReportSignature: Uint8Array;
  /** What the QE hashed into its report after the attestation key. */
  readonly authenticationData: Uint8Array;
  /** PEM, leaf first; most writers end it with a zero byte. */
  readonly pckChain: Uint8Array;
}

/** The PCK signs with ECDSA P-256 whatever the attestation key does. */
const PCK_SIGNATURE_BYTES = 64;
/** Intel, Quote Format, Certification Data Type. */
const PCK_CHAIN = 5;
const QE_REPORT = 6;
const CERTIFICATION_DATA_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'PPID in the clear'],
  [2, 'PPID encrypted with RSA-2048'],
  [3, 'PPID encrypted with RSA-3072'],
  [4, 'PCK leaf certificate'],
  [PCK_CHAIN, 'PCK certificate chain'],
  [QE_REPORT, 'QE report'],
  [7, 'platform manifest'],
]);

/**
 * Reads the signature data of a quote (Intel, Quote Format, ECDSA Quote Signature Data Structure). From version 4 on, what
 * certifies the attestation key is nested: the QE report is certification data itself and holds that of the PCK.
 * Throws QuoteError CERTIFICATION_DATA_UNSUPPORTED; MalformedError TRUNCATED, TRAILING_BYTES, RESERVED_NOT_ZERO.
 */
export function readQuoteSignatureData(
  bytes: Uint8Array,
  { version, algorithm }: Pick<QuoteHeader, 'version' | 'algorithm'>,
): QuoteSignatureData {
  const reader = new ByteReader(bytes);
  const signature = reader.bytes(algorithm.signatureBytes);
  const attestationKey = reader.bytes(algorithm.keyBytes);
  const certification = version === 3 ? reader : nested(reader, QE_REPORT);
  const data: QuoteSignatureData = {
    signature,
    attestationKey,
    qeReport: readEnclaveReport(certification.bytes(ENCLAVE_REPORT_BYTES)),
    qeReportSignature: certification.bytes(PCK_SIGNATURE_BYTES),
    authenticationData: certification.bytes(certification.u16le()),
    pckChain: certificationData(certification, PCK_CHAIN),
  };
  certification.end();
  reader.end();
  return data;
}

function nested(reader: ByteReader, type: number): ByteReader {
  return new ByteReader(certificationData(reader, type));
}

/** A type of two bytes, a length of four, and the data. */
function certificationData(reader: ByteReader, expected: number): Uint8Array {
  const type = reader.u16le();
  if (type !== expected) {
    throw new QuoteError(
      'CERTIFICATION_DATA_UNSUPPORTED',
      `expected certification data of type ${nameOf(expected)}, got ${nameOf(type)}`,
    );
  }
  return reader.bytes(reader.u32le());
}

function nameOf(type: number): string {
  return `${type} (${CERTIFICATION_DATA_NAMES.get(type) ?? 'unknown'})`;
}
