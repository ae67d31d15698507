import { z } from 'zod';

/** Every answer of a key broker that is no success: exactly these two members. */
export const kbsErrorSchema = z.strictObject({ type: z.string(), detail: z.string() });
export type KbsErrorReply = Readonly<z.output<typeof kbsErrorSchema>>;

export const KBS_ERROR_TYPE_PREFIX = 'https://github.com/confidential-containers/kbs/errors/';
