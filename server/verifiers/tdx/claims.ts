import { toHex, toLittleEndianHex } from '../../bytes/encoding.ts';
import type { Claims, JsonObject } from '../../claims/claims.ts';
import type { TdReport } from '../../intel-dcap/td-report.ts';
import { readTdAttributes, readXfam } from './td-attributes.ts';
import type { TdQuote } from './td-quote.ts';

/**
 * What a TD quote says, proven or not, under the names that policies for TDX know, and `xfam` by name. In `quote` everything
 * is lower-case hex, integers as they lie in the quote (little-endian).
 */
export function quoteClaims(quote: TdQuote): Claims {
  const { report } = quote.body;
  return {
    quote: { header: headerClaims(quote), ...descriptorClaims(quote), body: bodyClaims(report) },
    td_attributes: readTdAttributes(report.tdAttributes),
    xfam: readXfam(report.xfam),
    report_data: toHex(report.reportData),
    init_data: toHex(report.mrConfigId),
  };
}

function headerClaims({ header }: TdQuote): JsonObject {
  return {
    version: toLittleEndianHex(header.version, 2),
    att_key_type: toLittleEndianHex(header.attestationKeyType, 2),
    tee_type: toHex(header.teeType),
    reserved: toHex(header.reserved),
    vendor_id: toHex(header.qeVendorId),
    user_data: toHex(header.userData),
  };
}

/** Version 5 says in front of the body what it is. */
function descriptorClaims({ descriptor }: TdQuote): JsonObject {
  if (descriptor === undefined) return {};
  return { type: toLittleEndianHex(descriptor.type, 2), size: toLittleEndianHex(descriptor.size, 4) };
}

function bodyClaims(report: TdReport): JsonObject {
  const { rtmrs, teeTcbSvn2, mrServiceTd } = report;
  return {
    tcb_svn: toHex(report.teeTcbSvn),
    mr_seam: toHex(report.mrSeam),
    mrsigner_seam: toHex(report.mrSignerSeam),
    seam_attributes: toHex(report.seamAttributes),
    td_attributes: toHex(report.tdAttributes),
    xfam: toHex(report.xfam),
    mr_td: toHex(report.mrTd),
    mr_config_id: toHex(report.mrConfigId),
    mr_owner: toHex(report.mrOwner),
    mr_owner_config: toHex(report.mrOwnerConfig),
    rtmr_0: toHex(rtmrs[0]),
    rtmr_1: toHex(rtmrs[1]),
    rtmr_2: toHex(rtmrs[2]),
    rtmr_3: toHex(rtmrs[3]),
    report_data: toHex(report.reportData),
    ...(teeTcbSvn2 !== undefined && { tee_tcb_svn2: toHex(teeTcbSvn2) }),
    ...(mrServiceTd !== undefined && { mr_servicetd: toHex(mrServiceTd) }),
  };
}
