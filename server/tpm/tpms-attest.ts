import { ByteReader } from '../bytes/byte-reader.ts';
import { type PcrSelection, readPcrSelection } from './pcr-selection.ts';
import { TpmError } from './tpm-error.ts';

/** TPM_GENERATED_VALUE: a restricted key signs nothing that begins so unless its TPM made it. */
const MAGIC = 0xff_54_43_47;
/** TPM_ST_ATTEST_QUOTE */
const QUOTE = 0x8018;

/** TPMS_ATTEST of a quote as it stands, read but not believed. Views share memory with the input. */
export interface QuoteAttestation {
  /** The qualified name of the key that signed. */
  readonly qualifiedSigner: Uint8Array;
  /** What the caller of TPM2_Quote wanted to have signed. */
  readonly extraData: Uint8Array;
  /** Milliseconds that the TPM has run. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly isClockSafe: boolean;
  readonly firmwareVersion: bigint;
  readonly selection: PcrSelection;
  readonly pcrDigest: Uint8Array;
}

/**
 * Reads a TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE (TPM 2.0 Part 2, section 10.12.12), big-endian.
 * Throws TpmError QUOTE_MAGIC_MISMATCH, QUOTE_TYPE_MISMATCH, QUOTE_MALFORMED, PCR_SELECTION_MALFORMED,
 * PCR_BANK_UNSUPPORTED; MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function parseQuoteAttestation(bytes: Uint8Array): QuoteAttestation {
  const reader = new ByteReader(bytes);
  requireMagic(reader.u32be()); // magic
  requireQuote(reader.u16be()); // type
  // An object literal is evaluated in the order in which it is written, which is the order of the fields.
  const attestation: QuoteAttestation = {
    qualifiedSigner: reader.bytes(reader.u16be()), // qualifiedSigner: TPM2B_NAME
    extraData: reader.bytes(reader.u16be()), // extraData: TPM2B_DATA
    clock: reader.u64be(), // clockInfo.clock
    resetCount: reader.u32be(), // clockInfo.resetCount
    restartCount: reader.u32be(), // clockInfo.restartCount
    isClockSafe: readYesNo(reader.u8()), // clockInfo.safe
    firmwareVersion: reader.u64be(), // firmwareVersion
    selection: readPcrSelection(reader), // attested.quote.pcrSelect
    pcrDigest: reader.bytes(reader.u16be()), // attested.quote.pcrDigest
  };
  reader.end();
  return attestation;
}

function requireMagic(magic: number): void {
  if (magic === MAGIC) return;
  throw new TpmError(
    'QUOTE_MAGIC_MISMATCH',
    `expected a structure that a TPM made (0x${MAGIC.toString(16)}), got 0x${magic.toString(16)}`,
  );
}

function requireQuote(type: number): void {
  if (type === QUOTE) return;
  throw new TpmError(
    'QUOTE_TYPE_MISMATCH',
    `expected a quote (0x${QUOTE.toString(16)}), got an attestation of type 0x${type.toString(16)}`,
  );
}

/** TPMI_YES_NO */
function readYesNo(value: number): boolean {
  if (value > 1) throw new TpmError('QUOTE_MALFORMED', `expected a safe clock of 0 or 1, got ${value}`);
  return value === 1;
}
