/**
 * What vendors sign and verification needs: certificates, revocation lists, TCB info. One row each, by kind and key.
 * `snp-vek`: key `<product>/<chip id hex>/<tcb hex>`; `snp-crl`: key `<product>` of the key service's list.
 */
export type CollateralKind = 'snp-vek' | 'snp-ca' | 'snp-crl';

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
