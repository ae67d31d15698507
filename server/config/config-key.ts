import { z } from 'zod';

/** What the schema itself cannot say about a key. */
export interface KeyNote {
  /** Shown in place of a default where there is none. */
  readonly example?: unknown;
  /** What to write, where the type alone does not say it. */
  readonly expected?: string;
  /** `hidden`: never printed. `url`: printed without its password. */
  readonly secret?: 'hidden' | 'url';
  /** A file or folder; relative ones count from the working directory. */
  readonly isPath?: true;
}

/** The notes of every key that has one. */
export const keyNotes = z.registry<KeyNote>();

/** Attaches the sentence that `config show`, the example file and the messages print. */
export function key<S extends z.ZodType>(schema: S, meaning: string, note: KeyNote = {}): S {
  const described = schema.describe(meaning);
  keyNotes.add(described, note);
  return described;
}

export const SECONDS_IN_A_DAY = 86_400;

export const text = z.string().min(1);

export function wholeNumber(minimum: number, maximum: number): z.ZodInt {
  return z.int().min(minimum).max(maximum);
}

export function path(example: string, meaning: string): z.ZodOptional<z.ZodString> {
  return key(text.optional(), meaning, { example, expected: 'the path of a file', isPath: true });
}

export function paths(meaning: string, expected: string): z.ZodDefault<z.ZodArray<z.ZodString>> {
  return key(z.array(text).default([]), meaning, { expected, isPath: true });
}
