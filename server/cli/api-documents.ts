import { z } from 'zod';
import type { Json, JsonObject } from '../claims/claims.ts';

/** Any JSON; the strict reader made it. */
export const jsonSchema = z.custom<Json>((value) => value !== undefined);
export const jsonObjectSchema = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** A list, and where its next page begins. */
export const pageSchema = z.object({ items: z.array(jsonObjectSchema), next: z.string().nullish() });
