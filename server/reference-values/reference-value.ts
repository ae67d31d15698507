import { z } from 'zod';
import type { Json } from '../claims/claims.ts';

/** No control characters: names appear in policies, logs and terminals. */
const NAME = /^[^\p{Cc}\p{Cs}]+$/u;
const MAX_NAME_LENGTH = 256;
const MAX_VALUE_LENGTH = 262_144;

export const referenceValueNameSchema = z.string().min(1).max(MAX_NAME_LENGTH).regex(NAME);

/** Any JSON, as policies compare it: a list of texts, a number, a boolean. */
export const referenceValueContentSchema = z
  .custom<Json>((value) => value !== undefined)
  .refine((value) => JSON.stringify(value).length <= MAX_VALUE_LENGTH, {
    message: `expected at most ${MAX_VALUE_LENGTH} characters of JSON`,
  })
  .refine(isStorable, { message: 'expected texts without NUL and lone surrogates' });

/** Postgres keeps neither NUL nor halves of surrogate pairs (its documentation, "JSON Types"). */
function isStorable(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (value === null || typeof value !== 'object') return true;
  return [...Object.keys(value), ...Object.values(value)].every(isStorable);
}

/** What a claim is expected to be. Expired, it is as absent as one that never was. */
export interface ReferenceValue {
  readonly name: string;
  readonly value: Json;
  readonly expiresAt: Date | undefined;
}

export interface StoredReferenceValue extends ReferenceValue {
  /** Who set it. */
  readonly author: string;
  readonly updatedAt: Date;
}
