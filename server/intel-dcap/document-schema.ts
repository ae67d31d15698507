import { z } from 'zod';
import { fromHex } from '../bytes/encoding.ts';
import { TcbError } from './tcb-error.ts';

/*
 * What the documents of Intel's service have in common (Intel PCS API v4, "Get TCB Info", "Get Identity"). Members that we do not
 * know are passed over: Intel adds them within a version, and a version that means something else has another number.
 */

/** More than Intel has ever had of anything that is listed. */
const MAX_ENTRIES = 1024;

export const date = z.iso.datetime().transform((text) => new Date(text));
export const evaluationNumber = z.int().min(0).max(0xffff_ffff);
export const isvSvn = z.int().min(0).max(0xffff);
export const advisoryIds = z
  .array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/))
  .max(MAX_ENTRIES)
  .default([]);

/** Bytes as hex digits of either case. */
export function hexBytes(length: number): z.ZodType<Uint8Array> {
  return z
    .string()
    .length(2 * length)
    .regex(/^[0-9A-Fa-f]*$/)
    .transform((text): Uint8Array => fromHex(text));
}

/** Hex digits of either case, as upper case. */
export function hexName(digits: number): z.ZodType<string> {
  return z
    .string()
    .length(digits)
    .regex(/^[0-9A-Fa-f]*$/)
    .transform((text) => text.toUpperCase());
}

/** A list that is not empty, best level first. */
export function levelsOf<Level>(level: z.ZodType<Level>): z.ZodType<readonly [Level, ...Level[]]> {
  return z.tuple([level], level).refine((levels) => levels.length <= MAX_ENTRIES);
}

/** Throws TcbError COLLATERAL_MALFORMED, naming the first member that does not fit. */
export function parseAs<T>(schema: z.ZodType<T>, json: unknown, what: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TcbError(
    'COLLATERAL_MALFORMED',
    `expected ${what} as Intel's service has it, got another value at '${issue?.path.join('.') ?? ''}'`,
  );
}
