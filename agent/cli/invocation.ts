import { z } from 'zod';
import { CommandError } from './command-error.ts';
import type { CommandIo, CommandResult } from './command-io.ts';

const flagsSchema = z.object({ json: z.boolean().default(false) });

/** Writes a result in the form that `--json` chooses. */
export function print(io: CommandIo, flags: unknown, { json, text }: CommandResult): void {
  io.writeStdout(flagsSchema.parse(flags).json ? `${JSON.stringify(json, undefined, 2)}\n` : text);
}

/** For what was written into a file, and is not repeated on a terminal. */
export function printWritten(io: CommandIo, flags: unknown, file: string): void {
  print(io, flags, { json: { written: file }, text: `wrote ${file}\n` });
}

/** Refuses two flags of which one would be passed over. Throws CommandError USAGE. */
export function requireOneOf(flags: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  if (given.length <= 1) return;
  throw new CommandError('USAGE', `expected one of ${given.map(([name]) => name).join(', ')}, got several`);
}
