/** A document that Intel signed, as its service sent it, with the certificates that came beside it. Nothing is believed. */
export interface SignedDocument {
  /** The whole JSON text, `{"tcbInfo": {...}, "signature": "..."}` or `{"enclaveIdentity": ...}`: the signature covers its bytes. */
  readonly body: Uint8Array;
  /** DER, leaf first. */
  readonly issuerChain: readonly Uint8Array[];
}

/** A revocation list, DER, with the certificates that came beside it (DER, leaf first; may be empty). */
export interface IssuedRevocationList {
  readonly der: Uint8Array;
  readonly issuerChain: readonly Uint8Array[];
}

/** Everything that Intel signed about one platform, as it came. `verifyCollateral` makes it believable. */
export interface DcapCollateral {
  readonly tcbInfo: SignedDocument;
  readonly qeIdentity: SignedDocument;
  /** `undefined` only where revocation is checked "when-available". */
  readonly pckCrl: IssuedRevocationList | undefined;
  readonly rootCrl: Uint8Array | undefined;
}

/** What a quote says about its platform, enough to ask Intel about it. */
export interface PlatformQuery {
  /** Which TCB info and quoting enclave identity: that of SGX enclaves, or that of trust domains. */
  readonly tee: 'sgx' | 'tdx';
  /** Twelve upper-case hex digits. */
  readonly fmspc: string;
  /** The authority that issued the platform's PCK certificate. */
  readonly ca: 'platform' | 'processor';
}

/** Throws CouldNotCheckError when the collateral is neither at hand nor to be had. */
export type FindDcapCollateral = (query: PlatformQuery, at: Date) => Promise<DcapCollateral>;
