import { ByteReader } from '../bytes/byte-reader.ts';
import { type AttestationAlgorithm, attestationAlgorithmOf } from './attestation-algorithm.ts';
import { QuoteError } from './quote-error.ts';

/** The 48 bytes that every quote begins with, read but not believed. The byte strings are views of the input. */
export interface QuoteHeader {
  readonly version: QuoteVersion;
  readonly attestationKeyType: number;
  readonly algorithm: AttestationAlgorithm;
  readonly tee: 'sgx' | 'tdx';
  /** 4 bytes at 4: the TEE type, which in version 3 was attestation key data. Zero for SGX. */
  readonly teeType: Uint8Array;
  /** 4 bytes at 8: the two security versions below. */
  readonly reserved: Uint8Array;
  /** From version 4 on this and the next are reserved; what old quoting enclaves still wrote there is not judged. */
  readonly qeSvn: number;
  readonly pceSvn: number;
  readonly qeVendorId: Uint8Array;
  readonly userData: Uint8Array;
}

export type QuoteVersion = 3 | 4 | 5;

interface Form {
  readonly version: QuoteVersion;
  readonly tee: 'sgx' | 'tdx';
}

const SGX = 0x00;
const TDX = 0x81;
const TEE_NAMES: ReadonlyMap<number, string> = new Map([
  [SGX, 'SGX'],
  [TDX, 'TDX'],
]);
/** Versions 4 and 5 are specified for SGX too, but nothing in use writes them. */
const FORMS: ReadonlyMap<number, Form & { readonly teeType: number }> = new Map([
  [3, { version: 3, tee: 'sgx', teeType: SGX }],
  [4, { version: 4, tee: 'tdx', teeType: TDX }],
  [5, { version: 5, tee: 'tdx', teeType: TDX }],
]);

/**
 * Reads the header of a quote (Intel, Quote Format, Quote Header).
 * Throws QuoteError QUOTE_VERSION_UNSUPPORTED, ATTESTATION_KEY_TYPE_UNSUPPORTED, QUOTE_TEE_UNSUPPORTED;
 * MalformedError TRUNCATED.
 */
export function readQuoteHeader(reader: ByteReader): QuoteHeader {
  const version = reader.u16le(); // 0 version
  const attestationKeyType = reader.u16le(); // 2 att_key_type
  const teeType = reader.bytes(4); // 4 tee_type
  const reserved = reader.bytes(4); // 8 qe_svn, pce_svn
  const versions = new ByteReader(reserved);
  return {
    ...formOf(version, new ByteReader(teeType).u32le()),
    attestationKeyType,
    algorithm: attestationAlgorithmOf(attestationKeyType),
    teeType,
    reserved,
    qeSvn: versions.u16le(),
    pceSvn: versions.u16le(),
    qeVendorId: reader.bytes(16), // 12 vendor_id
    userData: reader.bytes(20), // 28 user_data
  };
}

function formOf(version: number, teeType: number): Form {
  const form = FORMS.get(version);
  if (form === undefined) {
    throw new QuoteError(
      'QUOTE_VERSION_UNSUPPORTED',
      `expected a quote of version 3 (SGX), 4 or 5 (TDX), got ${version}`,
    );
  }
  if (form.teeType !== teeType) {
    const came = TEE_NAMES.get(teeType) ?? `TEE type 0x${teeType.toString(16)}`;
    throw new QuoteError(
      'QUOTE_TEE_UNSUPPORTED',
      `expected a quote of version ${version} to be of ${TEE_NAMES.get(form.teeType)}, got ${came}`,
    );
  }
  return { version: form.version, tee: form.tee };
}
