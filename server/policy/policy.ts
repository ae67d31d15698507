import { CodedError } from '../errors/coded-error.ts';

export type PolicyKind = 'attestation' | 'resource';

/** Which version of which policy judged: goes into the decision record and the token. */
export interface PolicyRef {
  readonly name: string;
  /** SHA-384 of the Rego source, hex. */
  readonly sha384: string;
}

export type PolicyErrorCode =
  | 'POLICY_NOT_FOUND'
  | 'POLICY_NAME_INVALID'
  | 'POLICY_TOO_LARGE'
  | 'POLICY_DOES_NOT_COMPILE'
  | 'POLICY_LACKS_CONTRACT'
  | 'POLICY_COMPILER_UNAVAILABLE'
  | 'POLICY_EVALUATION_FAILED'
  | 'POLICY_DEADLINE_EXCEEDED'
  | 'POLICY_RESULT_INVALID';

/** The policy, not the guest, is broken or missing. Its message names the policy. */
export class PolicyError extends CodedError<PolicyErrorCode> {}
