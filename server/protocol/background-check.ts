import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import { isJsonObject } from './json-object.ts';

/** Steps 3 and 4 of the Confidential Containers key broker protocol (RCAR), version 0.4.0. */

const MAX_NONCE = 65_536;

/** The TEE's public key (RFC 7517). Only that it is an object is asked here; it is checked before it is used. */
const jwkSchema = z.custom<JsonObject>(isJsonObject, { error: 'expected a JSON Web Key' });

/**
 * Attestation, `POST /kbs/v0/attest`. Mind the spelling: the outer members have hyphens, those of `tee-evidence`
 * underscores, and the evidence of additional devices is JSON inside a string.
 */
export const attestationMessageSchema = z.object({
  'init-data': z.object({ format: z.string().max(16), body: z.string() }).nullish(),
  'runtime-data': z.object({ nonce: z.string().max(MAX_NONCE), 'tee-pubkey': jwkSchema }),
  'tee-evidence': z.object({
    primary_evidence: z.custom<unknown>((value) => value !== undefined, {
      error: 'expected evidence, got none',
    }),
    additional_evidence: z.string(),
  }),
});
export type AttestationMessage = z.output<typeof attestationMessageSchema>;

/** Response: the attestation token. */
export const tokenReplySchema = z.object({ token: z.string() });
