/** An attestation policy whose verdict is one number for hardware, configuration and executables. */
export function policyGiving(claim: number): string {
  return `package policy

trust_claims := {"hardware": ${claim}, "configuration": ${claim}, "executables": ${claim}}
`;
}

/** A resource policy that releases everything, or nothing. */
export function resourcePolicy(allow: boolean): string {
  return `package policy

default allow := false

allow if ${allow}
`;
}
