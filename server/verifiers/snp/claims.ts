import { toHex } from '../../bytes/encoding.ts';
import type { Claims } from '../../claims/claims.ts';
import type { ProvenKey } from './endorser.ts';
import type { ProductLine } from './product.ts';
import type { FirmwareVersion, SnpReport } from './report.ts';
import type { RevocationStatus } from './revocation.ts';
import { readTcb } from './tcb.ts';

/**
 * What a proven report says, under the names that policies for SEV-SNP know, and some more. Bytes are lower-case hex;
 * `fmc` members exist on Turin only, mitigation vectors from report version 5 on, as decimal text beyond 2^53.
 */
export function snpClaims(
  report: SnpReport,
  { product, key }: ProvenKey,
  revocation: RevocationStatus,
): Claims {
  return {
    ...reportClaims(report, product),
    signing_key: key.type,
    ...(key.cspId !== undefined && { csp_id: key.cspId }),
    revocation_status: revocation,
  };
}

/** What a report says, proven or not. The product decides how its TCBs are laid out. */
export function reportClaims(report: SnpReport, product: ProductLine): Claims {
  return {
    report_version: report.version,
    product,
    vmpl: report.vmpl,
    guest_svn: report.guestSvn,
    measurement: toHex(report.measurement),
    report_data: toHex(report.reportData),
    init_data: toHex(report.hostData),
    chip_id: toHex(report.chipId),
    report_id: toHex(report.reportId),
    report_id_ma: toHex(report.migrationAgentReportId),
    ...identityClaims(report),
    signing_key: report.signingKey,
    ...policyClaims(report),
    ...platformClaims(report),
    ...tcbClaims('reported', readTcb(report.reportedTcb, product)),
    ...tcbClaims('committed', readTcb(report.committedTcb, product)),
    ...tcbClaims('current', readTcb(report.currentTcb, product)),
    ...tcbClaims('launch', readTcb(report.launchTcb, product)),
    current_version: versionText(report.currentVersion),
    committed_version: versionText(report.committedVersion),
    ...mitigationClaims(report),
  };
}

function identityClaims(report: SnpReport): Claims {
  return {
    id_key_digest: toHex(report.idKeyDigest),
    author_key_digest: toHex(report.authorKeyDigest),
    author_key_enabled: report.isAuthorKeyEnabled,
    family_id: toHex(report.familyId),
    image_id: toHex(report.imageId),
  };
}

function policyClaims({ policy }: SnpReport): Claims {
  return {
    policy_abi_major: policy.abiMajor,
    policy_abi_minor: policy.abiMinor,
    policy_smt_allowed: policy.smtAllowed,
    policy_migrate_ma: policy.migrationAgentAllowed,
    policy_debug_allowed: policy.debugAllowed,
    policy_single_socket: policy.singleSocketRequired,
    policy_cxl_allowed: policy.cxlAllowed,
    policy_mem_aes_256_xts: policy.memoryAes256XtsRequired,
    policy_rapl_disabled: policy.raplDisableRequired,
    policy_ciphertext_hiding: policy.ciphertextHidingRequired,
    policy_page_swap_disabled: policy.pageSwapDisabled,
  };
}

function platformClaims({ platformInfo }: SnpReport): Claims {
  return {
    platform_smt_enabled: platformInfo.smtEnabled,
    platform_tsme_enabled: platformInfo.tsmeEnabled,
    platform_ecc_enabled: platformInfo.eccEnabled,
    platform_rapl_disabled: platformInfo.raplDisabled,
    platform_ciphertext_hiding_enabled: platformInfo.ciphertextHidingEnabled,
    platform_alias_check_complete: platformInfo.aliasCheckComplete,
    platform_tio_enabled: platformInfo.tioEnabled,
  };
}

function tcbClaims(name: string, tcb: ReturnType<typeof readTcb>): Claims {
  return {
    ...(tcb.fmc !== undefined && { [`${name}_tcb_fmc`]: tcb.fmc }),
    [`${name}_tcb_bootloader`]: tcb.bootloader,
    [`${name}_tcb_tee`]: tcb.tee,
    [`${name}_tcb_snp`]: tcb.snp,
    [`${name}_tcb_microcode`]: tcb.microcode,
  };
}

function mitigationClaims({ mitigations }: SnpReport): Claims {
  if (mitigations === undefined) return {};
  return {
    launch_mit_vector: numberOrText(mitigations.launch),
    current_mit_vector: numberOrText(mitigations.current),
  };
}

/** JSON readers round integers beyond 2^53. */
function numberOrText(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}

function versionText({ major, minor, build }: FirmwareVersion): string {
  return `${major}.${minor}.${build}`;
}
