import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { AttesterError } from '../attester-error.ts';

/** What of a TD quote its own guest looks at. */
export interface TdQuoteFields {
  readonly mrConfigId: Uint8Array;
  readonly reportData: Uint8Array;
}

const HEADER_BYTES = 48;
/** Intel TDX DCAP Quoting Library API, "TD Quote Body Descriptor": what version 5 puts in front of the body. */
const DESCRIPTOR_BYTES = 2 + 4;
/** TEE_TCB_SVN, MRSEAM, MRSIGNERSEAM, SEAMATTRIBUTES, TDATTRIBUTES, XFAM, MRTD */
const BYTES_BEFORE_MRCONFIGID = 16 + 48 + 48 + 8 + 8 + 8 + 48;
/** MROWNER, MROWNERCONFIG, RTMR0 to RTMR3 */
const BYTES_BEFORE_REPORTDATA = 48 + 48 + 4 * 48;

/** Reads a quote of version 4 or 5 without believing it. Throws AttesterError REPORT_UNSUPPORTED, REPORT_MALFORMED. */
export function readTdQuoteFields(quote: Uint8Array): TdQuoteFields {
  const reader = new ByteReader(quote);
  try {
    const version = reader.u16le();
    if (version !== 4 && version !== 5) {
      throw new AttesterError('REPORT_UNSUPPORTED', `expected a TD quote of version 4 or 5, got ${version}`);
    }
    reader.bytes(HEADER_BYTES - 2);
    if (version === 5) reader.bytes(DESCRIPTOR_BYTES);
    reader.bytes(BYTES_BEFORE_MRCONFIGID);
    const mrConfigId = reader.bytes(48);
    reader.bytes(BYTES_BEFORE_REPORTDATA);
    return { mrConfigId, reportData: reader.bytes(64) };
  } catch (cause) {
    if (!isCodedError(cause) || cause instanceof AttesterError) throw cause;
    throw new AttesterError(
      'REPORT_MALFORMED',
      `expected a TD quote from the kernel, got ${quote.byteLength} bytes`,
      { cause },
    );
  }
}
