import { z } from 'zod';
import type { Json, JsonObject } from '../claims/claims.ts';
import { TRUST_CLAIMS, type TrustVector } from '../claims/trust-vector.ts';
import { PolicyError, type PolicyRef } from './policy.ts';
import type { PolicyEngine } from './policy-engine.ts';
import type { PolicyStore } from './policy-store.ts';

/** What an attestation policy said about one set of claims. */
export interface AttestationVerdict {
  readonly policy: PolicyRef;
  readonly trustVector: TrustVector;
  /** Extensions by name, JSON null left out. */
  readonly extensions: JsonObject;
  /** Every reference value that the policy asked for during this evaluation, and whether there was one. */
  readonly referenceValuesAsked: Readonly<Record<string, 'present' | 'absent'>>;
}

/** `name` is the policy id with its class suffix, e.g. `default_cpu`. Throws PolicyError. */
export type EvaluateAttestationPolicy = (
  name: string,
  input: JsonObject,
  at: Date,
) => Promise<AttestationVerdict>;

const trustClaimSchema = z.int().min(-128).max(127);
/** A claim that AR4SI does not know is refused, not ignored; a policy that says nothing has not judged. */
const trustVectorSchema = z
  .partialRecord(z.enum(TRUST_CLAIMS), trustClaimSchema)
  .refine((claims) => Object.keys(claims).length > 0, 'expected at least one trust claim');

const extensionsSchema = z.array(
  z.strictObject({
    name: z.string().min(1).max(256),
    /** EAR's key of the claim in CBOR; JSON tokens only need it to be unique. */
    key: z.int32(),
    value: z.custom<Json>((value) => value !== undefined),
  }),
);

/** The vector of a policy without `trust_claims`: it claims nothing, which makes the status `none`. */
const NO_CLAIMS: TrustVector = Object.fromEntries(TRUST_CLAIMS.map((claim) => [claim, 0]));

const documentSchema = z.object({ trust_claims: z.unknown().optional(), extensions: z.unknown().optional() });

/** Evaluates the attestation policy in force of that name; what it answers is input, and checked as such. */
export function createAttestationPolicy(
  policies: Pick<PolicyStore, 'active'>,
  engine: Pick<PolicyEngine, 'evaluate'>,
): EvaluateAttestationPolicy {
  return async (name, input, at) => {
    const policy = await policies.active('attestation', name);
    const { document, asked } = await engine.evaluate({ module: policy.module, input, at });
    const { trust_claims: claims, extensions } = documentSchema.parse(document);
    return {
      policy: policy.ref,
      trustVector: policy.rules.includes('trust_claims') ? readTrustVector(name, claims) : NO_CLAIMS,
      extensions: policy.rules.includes('extensions') ? readExtensions(name, extensions) : {},
      referenceValuesAsked: Object.fromEntries(asked),
    };
  };
}

function readTrustVector(name: string, claims: unknown): TrustVector {
  const parsed = trustVectorSchema.safeParse(claims);
  if (!parsed.success) throw invalid(name, 'trust_claims', parsed.error);
  const vector = parsed.data;
  return Object.fromEntries(
    TRUST_CLAIMS.filter((claim) => vector[claim] !== undefined).map((claim) => [claim, vector[claim]]),
  );
}

function readExtensions(name: string, extensions: unknown): JsonObject {
  const parsed = extensionsSchema.safeParse(extensions);
  if (!parsed.success) throw invalid(name, 'extensions', parsed.error);
  const found = parsed.data;
  for (const member of ['name', 'key'] as const) {
    if (new Set(found.map((extension) => extension[member])).size === found.length) continue;
    throw new PolicyError(
      'POLICY_RESULT_INVALID',
      `expected policy '${name}' to give each extension a ${member} of its own, got one twice`,
    );
  }
  return Object.fromEntries(
    found.filter(({ value }) => value !== null).map((extension) => [extension.name, extension.value]),
  );
}

function invalid(name: string, rule: string, error: z.ZodError): PolicyError {
  const [issue] = error.issues;
  const where = [rule, ...(issue?.path ?? [])].join('.');
  return new PolicyError(
    'POLICY_RESULT_INVALID',
    `expected policy '${name}' to answer with ${rule} of the right form, but at ${where}: ${issue?.message ?? 'undefined'}`,
  );
}
