import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const verdict = z.enum(['genuine', 'refused', 'could-not-check']);
const common = { id: z.string(), what: z.string(), verdict: z.array(verdict).min(1) };

/** `90d`, `12h`, `30m`, `45s`, or a number: how long collateral may be used past its expiry, in seconds. */
const SECONDS_OF_UNIT = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const duration = z
  .string()
  .regex(/^\d+[smhd]$/)
  .transform(
    (text) => Number(text.slice(0, -1)) * SECONDS_OF_UNIT[text.slice(-1) as keyof typeof SECONDS_OF_UNIT],
  );

/** One attestation request, sent over HTTP. */
const attestationCase = z.object({
  ...common,
  tee: z.string(),
  evidence: z.string(),
  at: z.iso.datetime(),
  collateral: z.array(z.string()).default([]),
  trust_anchors: z.array(z.string()).optional(),
  runtime_data_raw: z.string().optional(),
  settings: z
    .looseObject({
      revocation: z.enum(['required', 'when-available']).default('required'),
      max_stale: z.union([z.number().int().nonnegative(), duration]).default(0),
      trusted_aks: z.array(z.string()).default([]),
    })
    .prefault({}),
  because: z.string().optional(),
  claims: z.record(z.string(), z.json()).default({}),
});

/** Is a token-signing key endorsed by the trusted certificates? */
const endorsementCase = z.object({
  ...common,
  kind: z.literal('jwk-endorsement'),
  jwk: z.string(),
  trusted: z.array(z.string()),
  at: z.iso.datetime(),
});

/** Does an event log say what is expected, and replay to the given registers? A refused one cannot be read. */
const eventLogCase = z.object({
  ...common,
  kind: z.literal('eventlog'),
  /** Gzip when its name ends in `.gz`. */
  file: z.string(),
  /** Hex by register, by algorithm. */
  replay: z
    .partialRecord(z.enum(['sha256', 'sha384', 'sha512', 'sm3']), z.record(z.coerce.number(), z.string()))
    .default({}),
  expected_events: z.string().optional(),
});

const otherCase = z.looseObject({ ...common, kind: z.string() });

const casesSchema = z.object({
  form: z.literal(1),
  cases: z.array(z.union([attestationCase, endorsementCase, eventLogCase, otherCase])),
});

export type Verdict = z.output<typeof verdict>;
export type AttestationCase = z.output<typeof attestationCase>;
export type EndorsementCase = z.output<typeof endorsementCase>;
export type EventLogCase = z.output<typeof eventLogCase>;
export type ConformanceCase = z.output<typeof casesSchema>['cases'][number];

/** Reads `CASES.json` of a folder of vectors. */
export function loadCases(folder: string): readonly ConformanceCase[] {
  return casesSchema.parse(JSON.parse(readFileSync(join(folder, 'CASES.json'), 'utf8'))).cases;
}

export function isAttestationCase(one: ConformanceCase): one is AttestationCase {
  return 'tee' in one && typeof one.tee === 'string';
}

export function isEndorsementCase(one: ConformanceCase): one is EndorsementCase {
  return 'kind' in one && one.kind === 'jwk-endorsement';
}

export function isEventLogCase(one: ConformanceCase): one is EventLogCase {
  return 'kind' in one && one.kind === 'eventlog';
}
