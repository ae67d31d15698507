import { z } from 'zod';
import type { Json } from '../claims/claims.ts';

/** Steps 1 and 2 of the Confidential Containers key broker protocol (RCAR), version 0.4.0. */

/** Version, TEE and algorithm are names; anything longer is no name. */
const MAX_NAME = 64;

const presentJson = z.custom<Json>((value) => value !== undefined, {
  error: 'expected any JSON value, got none',
});

/** Request, `POST /kbs/v0/auth`. `extra-params` has to be there, whatever it says. Further members are ignored. */
export const handshakeRequestSchema = z.object({
  version: z.string().max(MAX_NAME),
  tee: z.string().max(MAX_NAME),
  'extra-params': presentJson,
});
export type HandshakeRequest = z.output<typeof handshakeRequestSchema>;

/** Challenge: the nonce to bind the evidence to, as text to be used byte for byte. */
export const handshakeChallengeSchema = z.object({
  nonce: z.string(),
  'extra-params': z.union([z.literal(''), z.object({ 'selected-hash-algorithm': z.string() })]),
});
export type HandshakeChallenge = z.output<typeof handshakeChallengeSchema>;
