import type { Json } from '../claims/claims.ts';

/*
 * What travels between the thread that serves requests and the worker that evaluates policies. Documents go as JSON text: copying a
 * string between threads is cheaper than copying objects.
 */

/** One evaluation. `at` is milliseconds since 1970. */
export interface Evaluation {
  readonly id: number;
  /** Which loaded module, by its SHA-256. */
  readonly module: string;
  readonly input: string;
  /** What the policy sees as `data`. */
  readonly data: string;
  readonly at: number;
  /** Reference values that this evaluation asked for before and that have been looked up since. */
  readonly values: readonly KnownValue[];
}

/** A reference value, or that there is none: `json` undefined. `expiresAt` is milliseconds since 1970. */
export interface KnownValue {
  readonly name: string;
  readonly json: string | undefined;
  readonly expiresAt: number | undefined;
}

export type EvaluationOutcome =
  /** `result` is the document as JSON; every reference value that was asked for, and whether there was one. */
  | { readonly id: number; readonly kind: 'done'; readonly result: string; readonly asked: readonly Asked[] }
  /** Abandoned: these reference values have to be looked up first. */
  | { readonly id: number; readonly kind: 'needs'; readonly names: readonly string[] }
  | { readonly id: number; readonly kind: 'failed'; readonly why: string };

export type Asked = readonly [name: string, answer: 'present' | 'absent'];

/** To the worker, in order. */
export type WorkerRequest =
  | { readonly kind: 'load'; readonly module: string; readonly bytes: Uint8Array }
  | { readonly kind: 'unload'; readonly module: string }
  /** Reference values have changed: forget those that are kept. */
  | { readonly kind: 'forget-values' }
  /** Values to keep for later evaluations. */
  | { readonly kind: 'keep-values'; readonly values: readonly KnownValue[] }
  | { readonly kind: 'evaluate'; readonly evaluations: readonly Evaluation[] };

export type WorkerReply = readonly EvaluationOutcome[];

/** A reference value as its owner has it; absent ones are not in the map. */
export interface ReferenceValueAnswer {
  readonly value: Json;
  readonly expiresAt: Date | undefined;
}

export type LookUpReferenceValues = (
  names: readonly string[],
) => Promise<ReadonlyMap<string, ReferenceValueAnswer>>;
