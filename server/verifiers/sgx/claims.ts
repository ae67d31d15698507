import { toHex, toLittleEndianHex } from '../../bytes/encoding.ts';
import type { Claims, JsonObject } from '../../claims/claims.ts';
import type { EnclaveReport } from '../../intel-dcap/enclave-report.ts';
import { readEnclaveAttributes, readMiscSelect } from './enclave-attributes.ts';
import type { EnclaveQuote } from './enclave-quote.ts';

/** Of ATTRIBUTES, the flags; XFRM takes the other half. */
const FLAGS_BYTES = 8;

/**
 * What an enclave's quote says, proven or not, under the names that policies for SGX know; and its attributes by name, its
 * product and versions as numbers. In `header` and `body` everything is lower-case hex, integers as they lie in the quote
 * (little-endian).
 */
export function quoteClaims(quote: EnclaveQuote): Claims {
  const { report } = quote.body;
  return {
    header: headerClaims(quote),
    body: bodyClaims(report),
    attributes: readEnclaveAttributes(report.attributes),
    misc_select: readMiscSelect(report.miscSelect),
    isv_prod_id: report.isvProdId,
    isv_svn: report.isvSvn,
    config_svn: report.configSvn,
    report_data: toHex(report.reportData),
    init_data: toHex(report.configId),
  };
}

function headerClaims({ header }: EnclaveQuote): JsonObject {
  return {
    version: toLittleEndianHex(header.version, 2),
    att_key_type: toLittleEndianHex(header.attestationKeyType, 2),
    att_key_data_0: toHex(header.teeType),
    qe_svn: toLittleEndianHex(header.qeSvn, 2),
    pce_svn: toLittleEndianHex(header.pceSvn, 2),
    vendor_id: toHex(header.qeVendorId),
    user_data: toHex(header.userData),
  };
}

function bodyClaims(report: EnclaveReport): JsonObject {
  return {
    cpu_svn: toHex(report.cpuSvn),
    misc_select: toHex(report.miscSelect),
    reserved1: toHex(report.reserved1),
    isv_ext_prod_id: toHex(report.isvExtProdId),
    'attributes.flags': toHex(report.attributes.subarray(0, FLAGS_BYTES)),
    'attributes.xfrm': toHex(report.attributes.subarray(FLAGS_BYTES)),
    mr_enclave: toHex(report.mrEnclave),
    reserved2: toHex(report.reserved2),
    mr_signer: toHex(report.mrSigner),
    reserved3: toHex(report.reserved3),
    config_id: toHex(report.configId),
    isv_prod_id: toLittleEndianHex(report.isvProdId, 2),
    isv_svn: toLittleEndianHex(report.isvSvn, 2),
    config_svn: toLittleEndianHex(report.configSvn, 2),
    reserved4: toHex(report.reserved4),
    isv_family_id: toHex(report.isvFamilyId),
    report_data: toHex(report.reportData),
  };
}
