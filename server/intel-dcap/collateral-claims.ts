import { toHex } from '../bytes/encoding.ts';
import type { Claims } from '../claims/claims.ts';
import type { VerifiedRevocationList } from '../x509/crl.ts';
import type { VerifiedCollateral } from './collateral.ts';
import type { TcbAppraisal, TcbStanding } from './tcb-appraisal.ts';

/** What Intel put into a PCK certificate about the platform, as far as claims show it. */
export interface PckFacts {
  /** 16 bytes. */
  readonly ppid: Uint8Array;
  /** `Standard`, `Scalable`, `Scalable with Integrity`. */
  readonly sgxType: string;
  /** `undefined` for a platform of a single package. */
  readonly configuration:
    | { readonly dynamicPlatform: boolean; readonly cachedKeys: boolean; readonly smtEnabled: boolean }
    | undefined;
}

/**
 * What collateral says about a platform at a time, under the names that policies for Intel know. Dates are RFC 3339 in UTC and whole
 * seconds; the numbers of revocation lists are there when the lists are.
 */
export function collateralClaims(collateral: VerifiedCollateral, appraisal: TcbAppraisal, at: Date): Claims {
  const { dates, tcbInfo, qeIdentity } = collateral;
  return {
    earliest_issue_date: dateText(dates.earliestIssue),
    latest_issue_date: dateText(dates.latestIssue),
    earliest_expiration_date: dateText(dates.earliestExpiration),
    collateral_expiration_status: dates.earliestExpiration <= at ? '1' : '0',
    ...numberClaim('pck_crl_num', collateral.pckList),
    ...numberClaim('root_ca_crl_num', collateral.rootList),
    tcb_eval_num: Math.min(tcbInfo.evaluationNumber, qeIdentity.evaluationNumber),
    root_key_id: collateral.anchor.keyId,
    revocation_status: collateral.revocation,
    ...standingClaims(appraisal, ''),
    ...(appraisal.current && standingClaims(appraisal.current, '_current')),
  };
}

/** What the PCK certificate says about the platform, under the names that policies for Intel know. */
export function pckClaims({ ppid, sgxType, configuration }: PckFacts): Claims {
  return {
    platform_provider_id: toHex(ppid),
    sgx_type: sgxType,
    ...(configuration && {
      is_dynamic_platform: configuration.dynamicPlatform,
      is_cached_keys: configuration.cachedKeys,
      is_smt_enabled: configuration.smtEnabled,
    }),
  };
}

function standingClaims({ date, status, advisoryIds }: TcbStanding, suffix: '' | '_current'): Claims {
  return {
    [`tcb_date${suffix}`]: dateText(date),
    [`tcb_status${suffix}`]: status,
    [`advisory_ids${suffix}`]: advisoryIds,
  };
}

/** A number beyond 2^53 is text, since it must not change on its way. */
function numberClaim(name: string, list: VerifiedRevocationList | undefined): Claims {
  const number = list?.number;
  if (number === undefined) return {};
  return { [name]: number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number.toString() };
}

function dateText(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
