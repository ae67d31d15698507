import { z } from 'zod';
import { fromBase64 } from '../../server/bytes/encoding.ts';
import type { Json } from '../../server/claims/claims.ts';
import { isCodedError } from '../../server/errors/coded-error.ts';

/** Bytes in strict, padded base64. */
export const base64Member = z.string().transform((text, context) => {
  try {
    return fromBase64(text);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    context.addIssue('expected padded base64');
    return z.NEVER;
  }
});

/** What only a provider understands. Upstream's reader demands such members, its document calls them optional: they are. */
export const settingsMember = z
  .record(
    z.string(),
    z.custom<Json>((value) => value !== undefined),
  )
  .default({});
