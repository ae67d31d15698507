/**
 * Where attestation services put the TEE's key into a token, as JSON pointers (RFC 6901); the last is RFC 7800's
 * confirmation key.
 */
export const TEE_KEY_POINTERS = [
  '/tdx/attester_runtime_data/tee-pubkey',
  '/tdx/attester_user_data/tee-pubkey',
  '/customized_claims/runtime_data/tee-pubkey',
  '/submods/cpu0/ear.veraison.annotated-evidence/runtime_data_claims/tee-pubkey',
  '/tee-pubkey',
  '/cnf/jwk',
] as const;
