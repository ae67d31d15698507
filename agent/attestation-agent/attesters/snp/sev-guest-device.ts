import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { AttesterError } from '../attester-error.ts';
import { type OpenDevice, withDevice } from './device-call.ts';
import { REPORT_BYTES } from './report-document.ts';
import type { RequestSnpReport, SnpFirmwareReport } from './snp-attester.ts';

export const SEV_GUEST_DEVICE = '/dev/sev-guest';
/** _IOWR('S', 0x2, struct snp_guest_request_ioctl) of 32 bytes: SNP_GET_EXT_REPORT (Linux, include/uapi/linux/sev-guest.h). */
const SNP_GET_EXT_REPORT = 0xc020_5302;
const MESSAGE_VERSION = 1;
/** struct snp_report_req: user_data[64], vmpl, rsvd[28]. */
const REPORT_REQUEST_BYTES = 64 + 4 + 28;
/** struct snp_ext_report_req: data, certs_address, certs_len, padded. */
const EXTENDED_REQUEST_BYTES = REPORT_REQUEST_BYTES + 8 + 8;
const RESPONSE_BYTES = 4000;
/** SEV_FW_BLOB_MAX_SIZE. */
const CERTIFICATES_BYTES = 16 * 1024;
/** MSG_REPORT_RSP (AMD 56860): STATUS, REPORT_SIZE, reserved, REPORT. */
const RESPONSE_RESERVED_BYTES = 24;

/** Reports of kernels 5.19 and later by their device, for those that do not have configfs-tsm yet (6.7). */
export function createSevGuestDevice(path = SEV_GUEST_DEVICE): RequestSnpReport {
  return async (reportData) =>
    await withDevice(path, async (device) => await getExtendedReport(device, reportData));
}

/** SNP_GET_EXT_REPORT at VMPL 0. Throws AttesterError DEVICE_FAILED. */
export async function getExtendedReport(
  { call, addressOf }: OpenDevice,
  reportData: Uint8Array,
): Promise<SnpFirmwareReport> {
  const certificateTable = new Uint8Array(CERTIFICATES_BYTES);
  const request = new Uint8Array(EXTENDED_REQUEST_BYTES);
  request.set(reportData); // data.user_data; data.vmpl is 0
  const requestView = new DataView(request.buffer);
  requestView.setBigUint64(REPORT_REQUEST_BYTES, addressOf(certificateTable), true); // certs_address
  requestView.setUint32(REPORT_REQUEST_BYTES + 8, CERTIFICATES_BYTES, true); // certs_len
  const response = new Uint8Array(RESPONSE_BYTES);
  // Memory that V8 does not move: `buffer` sees to it for what is as small as this.
  const argument = new Uint8Array(32);
  const view = new DataView(argument.buffer);
  view.setUint8(0, MESSAGE_VERSION); // msg_version
  view.setBigUint64(8, addressOf(request), true); // req_data
  view.setBigUint64(16, addressOf(response), true); // resp_data
  const errno = await call(SNP_GET_EXT_REPORT, argument);
  // Read after the call, so that the request outlives it: the kernel holds its address, V8 does not know.
  const certificatesLength = requestView.getUint32(REPORT_REQUEST_BYTES + 8, true);
  if (errno !== 0) {
    const firmware = view.getUint32(24, true); // fw_error
    const host = view.getUint32(28, true); // vmm_error
    throw failed(
      `a report, got errno ${errno}, firmware error ${firmware}, host error ${host}, ${certificatesLength} bytes for certificates`,
    );
  }
  return { report: readResponse(response), certificateTable };
}

function readResponse(response: Uint8Array): Uint8Array {
  const reader = new ByteReader(response);
  const status = reader.u32le();
  const size = reader.u32le();
  if (status !== 0 || size !== REPORT_BYTES) {
    throw failed(`status 0 and a report of ${REPORT_BYTES} bytes, got status ${status} and ${size} bytes`);
  }
  reader.bytes(RESPONSE_RESERVED_BYTES);
  return reader.bytes(REPORT_BYTES);
}

function failed(expected: string): AttesterError {
  return new AttesterError('DEVICE_FAILED', `expected the device of the firmware to answer with ${expected}`);
}
