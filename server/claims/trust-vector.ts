/** The eight trustworthiness claims of AR4SI (draft-ietf-rats-ar4si), in the order in which tokens list them. */
export const TRUST_CLAIMS = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const;
export type TrustClaim = (typeof TRUST_CLAIMS)[number];
/** Only the claims that the policy set; integers from -128 to 127. */
export type TrustVector = Readonly<Partial<Record<TrustClaim, number>>>;
