import { z } from 'zod';
import type { Json } from '../claims/claims.ts';

/** More devices than any machine has; bounds the work of one request. */
const MAX_REQUESTS = 32;
const MAX_POLICY_ID = 128;

const json = z.custom<Json>((value) => value !== undefined);

/** Exactly one member: raw bytes or a document, never both. */
const runtimeData = z.union([z.strictObject({ raw: z.string() }), z.strictObject({ structured: json })]);
const initData = z.union([
  z.strictObject({ init_data_digest: z.string() }),
  z.strictObject({ init_data_toml: z.string() }),
]);
const absentWhenNull = <T extends z.ZodType>(schema: T) =>
  schema.nullish().transform((value) => value ?? undefined);

/** POST /attestation, as upstream's clients send it. Members that upstream ignores are ignored. */
export const attestationRequestSchema = z.object({
  verification_requests: z
    .array(
      z.object({
        tee: z.string().max(64),
        evidence: z.string(),
        runtime_data: absentWhenNull(runtimeData),
        init_data: absentWhenNull(initData),
        runtime_data_hash_algorithm: absentWhenNull(z.string()),
      }),
    )
    .min(1)
    .max(MAX_REQUESTS),
  policy_ids: z.array(z.string().min(1).max(MAX_POLICY_ID)).max(16).default([]),
});

export type AttestationRequest = z.output<typeof attestationRequestSchema>;
export type VerificationRequest = AttestationRequest['verification_requests'][number];

/** POST /challenge: both members are needed; `tee_params` is for TEEs whose challenge depends on it. */
export const challengeRequestSchema = z.object({
  tee: z.string().max(64),
  tee_params: z.string().max(65_536),
});
