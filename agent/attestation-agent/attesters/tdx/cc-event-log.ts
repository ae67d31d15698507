import { concatBytes } from '../../../../server/bytes/byte-strings.ts';
import { specIdHeader } from '../../event-log/spec-id-header.ts';
import { firmwareRecords } from './firmware-log.ts';

const END = new Uint8Array(8).fill(0xff);

/**
 * `cc_eventlog`: the firmware's records, those of the attestation agent behind them, and a mark for the end. Where there is
 * no area of the firmware a header of ours begins the log. `undefined` where there is neither. Throws AttesterError
 * FIRMWARE_LOG_MALFORMED.
 */
export function ccEventLog(
  firmwareArea: Uint8Array | undefined,
  agentRecords: Uint8Array | undefined,
): Uint8Array | undefined {
  if (firmwareArea === undefined && agentRecords === undefined) return undefined;
  const first = firmwareArea === undefined ? specIdHeader(['sha384', 'sm3']) : firmwareRecords(firmwareArea);
  const records = agentRecords ?? new Uint8Array();
  if (first.byteLength + records.byteLength === 0) return undefined;
  return concatBytes(first, records, END);
}
