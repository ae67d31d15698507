import { bytesEqual } from '../../../../server/bytes/byte-strings.ts';
import { toBase64 } from '../../../../server/bytes/encoding.ts';
import { readBoundedIfThere } from '../../bounded-file.ts';
import type { MeasuredLog } from '../../event-log/runtime-measurement.ts';
import { compareWithField } from '../../init-data-binding.ts';
import { systemErrorCode } from '../../system-error.ts';
import type { Attester } from '../attester.ts';
import { AttesterError } from '../attester-error.ts';
import type { TsmReporter } from '../tsm/tsm-report.ts';
import { ccEventLog } from './cc-event-log.ts';
import { readTdQuoteFields, type TdQuoteFields } from './td-quote-fields.ts';

export interface TdxAttesterOptions {
  readonly reporter: TsmReporter;
  readonly log: MeasuredLog;
  /** Where the firmware's log lies. */
  readonly firmwareLogPath?: string;
}

export const CCEL_PATH = '/sys/firmware/acpi/tables/data/CCEL';
const MAX_FIRMWARE_LOG_BYTES = 1024 * 1024;
const REPORT_DATA_BYTES = 64;

/** Intel TDX. Evidence: `{cc_eventlog, quote}`. */
export function createTdxAttester(options: TdxAttesterOptions): Attester {
  const { reporter, log, firmwareLogPath = CCEL_PATH } = options;
  const quoteFor = async (
    reportData: Uint8Array,
  ): Promise<TdQuoteFields & { readonly quote: Uint8Array }> => {
    const { outblob: quote } = await reporter.report({ provider: 'tdx_guest', reportData });
    const fields = readTdQuoteFields(quote);
    if (bytesEqual(fields.reportData, reportData)) return { ...fields, quote };
    throw new AttesterError(
      'REPORT_OF_ANOTHER_REQUEST',
      'expected a quote of the data of this request, got other data',
    );
  };
  return {
    tee: 'tdx',
    reportDataBytes: REPORT_DATA_BYTES,
    async evidence(reportData) {
      // Log and registers have to be of one moment: servers replay the one and compare it with the other.
      const { quote, records } = await log.whileUnchanged(async (records) => ({
        quote: (await quoteFor(reportData)).quote,
        records,
      }));
      const eventLog = ccEventLog(await readFirmwareLog(firmwareLogPath), records);
      return { cc_eventlog: eventLog === undefined ? null : toBase64(eventLog), quote: toBase64(quote) };
    },
    async bindInitData(digest) {
      const { mrConfigId } = await quoteFor(new Uint8Array(REPORT_DATA_BYTES));
      return compareWithField(digest, mrConfigId, 'MRCONFIGID');
    },
  };
}

/** `undefined` where the firmware has none. One that is there and cannot be read is not passed over: the quote has its events. */
async function readFirmwareLog(path: string): Promise<Uint8Array | undefined> {
  let area: Uint8Array | undefined;
  try {
    area = await readBoundedIfThere(path, MAX_FIRMWARE_LOG_BYTES);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw unreadable(code, cause);
  }
  if (area !== undefined && area.byteLength > MAX_FIRMWARE_LOG_BYTES) {
    throw unreadable(`more than ${MAX_FIRMWARE_LOG_BYTES} bytes`);
  }
  return area;
}

function unreadable(came: string, cause?: unknown): AttesterError {
  return new AttesterError(
    'FIRMWARE_LOG_MALFORMED',
    `expected to read the firmware's event log (CCEL), got ${came}`,
    { cause },
  );
}
