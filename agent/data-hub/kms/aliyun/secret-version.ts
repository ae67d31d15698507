import { z } from 'zod';

/** Which version of a secret; empty text, which upstream writes, is the newest. */
export const secretAnnotationsSchema = z.object({
  version_stage: z.string().max(64).default(''),
  version_id: z.string().max(64).default(''),
});
