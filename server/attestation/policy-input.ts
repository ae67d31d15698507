import type { Claims, Json, JsonObject } from '../claims/claims.ts';
import type { Tee } from '../evidence/tee.ts';

export interface PolicyInputOptions {
  readonly tee: Tee;
  readonly runtimeDataClaims: Json;
  readonly initDataClaims: Json;
  /** When false, the (large) evidence of additional devices is left out of the runtime data. */
  readonly verbose: boolean;
}

/**
 * The document that the policy judges and the token shows as annotated evidence: the TEE's claims under its name, with
 * `report_data` and `init_data` moved beside it, each with the document that it is the digest of.
 */
export function toPolicyInput(claims: Claims, options: PolicyInputOptions): JsonObject {
  const { report_data: reportData, init_data: initData, ...teeClaims } = claims;
  return {
    [options.tee]: teeClaims,
    ...(initData !== undefined && { init_data: initData, init_data_claims: options.initDataClaims }),
    ...(reportData !== undefined && {
      report_data: reportData,
      runtime_data_claims: options.verbose
        ? options.runtimeDataClaims
        : withoutAdditionalEvidence(options.runtimeDataClaims),
    }),
  };
}

function withoutAdditionalEvidence(runtimeData: Json): Json {
  if (runtimeData === null || typeof runtimeData !== 'object' || Array.isArray(runtimeData))
    return runtimeData;
  return Object.fromEntries(Object.entries(runtimeData).filter(([name]) => name !== 'additional-evidence'));
}
