/**
 * What vendors sign and verification needs: certificates, revocation lists, TCB info. One row each, by kind and key.
 * `snp-vek`: key `<product>/<chip id hex>/<tcb hex>`; `snp-crl`: key `<product>` of the key service's list.
 * `intel-tcb-info`: key `<sgx or tdx>/<fmspc>/<selection>`; `intel-qe-identity`: key `<sgx or tdx>/<selection>`, where the
 * selection is `standard`, `early` or a tcbEvaluationDataNumber; `intel-crl`: key `platform`, `processor`, `root`;
 * `intel-ca`: key `tcb-signing`, `platform`, `processor`, `root`.
 */
export type CollateralKind =
  | 'snp-vek'
  | 'snp-ca'
  | 'snp-crl'
  | 'intel-tcb-info'
  | 'intel-qe-identity'
  | 'intel-crl'
  | 'intel-ca';

export interface Collateral {
  readonly kind: CollateralKind;
  readonly key: string;
  /** As the vendor sent it: DER, or text whose signature covers the very bytes. */
  readonly body: Uint8Array;
  /** When the vendor's own validity ends; `undefined` where it states none. */
  readonly expiresAt: Date | undefined;
  readonly source: 'fetched' | 'imported';
}

/** Collateral as verification sees it: looked up, and kept once fetched. The store is never trusted: what comes out is verified again. */
export interface CollateralStore {
  find(kind: CollateralKind, key: string): Promise<Collateral | undefined>;
  put(collateral: Collateral): Promise<void>;
}
