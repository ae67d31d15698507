import { ByteReader } from '../bytes/byte-reader.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { ENCLAVE_REPORT_BYTES, type EnclaveReport, readEnclaveReport } from './enclave-report.ts';
import { QuoteError } from './quote-error.ts';
import { type QuoteHeader, readQuoteHeader } from './quote-header.ts';
import { type QuoteSignatureData, readQuoteSignatureData } from './quote-signature-data.ts';
import { readTdReport, TD_10_REPORT_BYTES, TD_15_REPORT_BYTES, type TdReport } from './td-report.ts';

/** Real quotes are below 8 KiB; the buffers that they are handed around in are of 16 KiB. */
export const MAX_QUOTE_BYTES = 65_536;

/** What a quote speaks about. */
export type QuoteBody =
  | { readonly kind: 'sgx'; readonly report: EnclaveReport }
  | { readonly kind: 'td-1.0' | 'td-1.5'; readonly report: TdReport };

/** What a quote of version 5 says about its body in front of it. */
export interface BodyDescriptor {
  readonly type: number;
  readonly size: number;
}

/** An Intel quote as it stands, read but not believed. */
export interface Quote {
  readonly header: QuoteHeader;
  /** Version 5 only. */
  readonly descriptor: BodyDescriptor | undefined;
  readonly body: QuoteBody;
  /** Header, descriptor and body exactly as they came: the signature covers them. */
  readonly signedBytes: Uint8Array;
  readonly signatureData: QuoteSignatureData;
}

interface BodyForm {
  readonly kind: QuoteBody['kind'];
  readonly size: number;
}

/** Intel, TDX DCAP Quoting Library API, Quote Body Descriptor. Type 1 is an enclave, which nothing in use writes so. */
const FORMS_OF_TYPE: ReadonlyMap<number, BodyForm> = new Map([
  [2, { kind: 'td-1.0', size: TD_10_REPORT_BYTES }],
  [3, { kind: 'td-1.5', size: TD_15_REPORT_BYTES }],
]);
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([[1, 'SGX enclave']]);

/**
 * Reads a quote of version 3 (SGX), 4 or 5 (TDX). Views share memory with the input.
 * Throws QuoteError QUOTE_TOO_LARGE, QUOTE_VERSION_UNSUPPORTED, QUOTE_TEE_UNSUPPORTED, ATTESTATION_KEY_TYPE_UNSUPPORTED,
 * QUOTE_BODY_UNSUPPORTED, QUOTE_BODY_SIZE_MISMATCH, CERTIFICATION_DATA_UNSUPPORTED; MalformedError TRUNCATED,
 * TRAILING_BYTES, RESERVED_NOT_ZERO.
 */
export function parseQuote(bytes: Uint8Array): Quote {
  if (bytes.byteLength > MAX_QUOTE_BYTES) {
    throw new QuoteError(
      'QUOTE_TOO_LARGE',
      `expected a quote of at most ${MAX_QUOTE_BYTES} bytes, got ${bytes.byteLength}`,
    );
  }
  const reader = new ByteReader(bytes);
  const header = readQuoteHeader(reader);
  const descriptor = header.version === 5 ? { type: reader.u16le(), size: reader.u32le() } : undefined;
  const form = formOf(header, descriptor);
  const body = readBody(form.kind, reader.bytes(form.size));
  const signedBytes = bytes.subarray(0, reader.offset);
  const signatureData = readQuoteSignatureData(reader.bytes(reader.u32le()), header);
  requirePadding(reader);
  return { header, descriptor, body, signedBytes, signatureData };
}

function formOf(header: QuoteHeader, descriptor: BodyDescriptor | undefined): BodyForm {
  if (header.tee === 'sgx') return { kind: 'sgx', size: ENCLAVE_REPORT_BYTES };
  if (descriptor === undefined) return { kind: 'td-1.0', size: TD_10_REPORT_BYTES };
  const { type, size } = descriptor;
  const form = FORMS_OF_TYPE.get(type);
  if (form === undefined) {
    throw new QuoteError(
      'QUOTE_BODY_UNSUPPORTED',
      `expected a body of type 2 (TD 1.0) or 3 (TD 1.5), got ${type} (${TYPE_NAMES.get(type) ?? 'unknown'})`,
    );
  }
  if (form.size !== size) {
    throw new QuoteError(
      'QUOTE_BODY_SIZE_MISMATCH',
      `expected ${form.size} bytes for a body of type ${type}, got ${size}`,
    );
  }
  return form;
}

function readBody(kind: QuoteBody['kind'], bytes: Uint8Array): QuoteBody {
  return kind === 'sgx' ? { kind, report: readEnclaveReport(bytes) } : { kind, report: readTdReport(bytes) };
}

/** Some hosts hand out the buffer that a quote was written into: zeros follow the quote then, and nothing else may. */
function requirePadding(reader: ByteReader): void {
  const { offset, remaining } = reader;
  const index = reader.bytes(remaining).findIndex((byte) => byte !== 0);
  if (index === -1) return;
  throw new MalformedError(
    'TRAILING_BYTES',
    `expected nothing but zeros after the quote, got another byte at 0x${(offset + index).toString(16)}`,
  );
}
