import { CodedError } from '../errors/coded-error.ts';

export type PolicyKind = 'attestation' | 'resource';

/** Which version of which policy judged: goes into the decision record and the token. */
export interface PolicyRef {
  readonly name: string;
  /** SHA-384 of the Rego source, hex. */
  readonly sha384: string;
}

/** The rules that make up the contract: `data.policy.<rule>`. Only these are ever evaluated. */
export type PolicyRule = 'trust_claims' | 'extensions' | 'allow';

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

const MAX_NAME_LENGTH = 128;
const SEGMENTS = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;

declare const checked: unique symbol;

/** A policy's name that has the form of one. Only `parsePolicyName` makes it. */
export type PolicyName = string & { readonly [checked]: 'policy-name' };

/**
 * Names are 1 to 128 characters of `A-Za-z0-9-_./`: segments between slashes, none of them empty, `.` or `..`.
 * Throws PolicyError POLICY_NAME_INVALID.
 */
export function parsePolicyName(text: string): PolicyName {
  const isName =
    text.length <= MAX_NAME_LENGTH &&
    SEGMENTS.test(text) &&
    !text.split('/').some((segment) => segment === '.' || segment === '..');
  if (!isName) {
    throw new PolicyError(
      'POLICY_NAME_INVALID',
      `expected a policy name of 1 to ${MAX_NAME_LENGTH} characters A-Z a-z 0-9 - _ . and / between segments, got ${text.length} characters that are not`,
    );
  }
  return text as PolicyName;
}
