import type { JsonObject } from '../claims/claims.ts';

/** Whether a value that came out of a JSON reader is an object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
