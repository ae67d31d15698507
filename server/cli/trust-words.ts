import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import { TRUST_CLAIMS, type TrustClaim } from '../claims/trust-vector.ts';
import { tierOf } from '../token/trust-tier.ts';
import { cell, table } from './printing.ts';

/** Values that mean the same in every claim (draft-ietf-rats-ar4si, section 2.3.2). */
const COMMON: ReadonlyMap<number, string> = new Map([
  [-1, 'the verifier could not tell'],
  [0, 'no claim made'],
  [1, 'the evidence holds something unexpected'],
  [99, 'the evidence failed a cryptographic check'],
]);

/** The values that each claim names (draft-ietf-rats-ar4si, section 2.3.4). */
const NAMED: Readonly<Record<TrustClaim, ReadonlyMap<number, string>>> = {
  'instance-identity': new Map([
    [2, 'a recognized instance, not compromised'],
    [96, 'a recognized instance, but not a trusted one'],
    [97, 'not a recognized instance'],
  ]),
  configuration: new Map([
    [2, 'a known and approved configuration'],
    [3, 'a configuration without known vulnerabilities'],
    [32, 'a configuration with known vulnerabilities'],
    [36, 'parts of the configuration cannot be seen'],
    [96, 'a configuration that is not supported'],
  ]),
  executables: new Map([
    [2, 'only approved programs were loaded, at boot and since'],
    [3, 'only approved programs were loaded at boot'],
    [4, 'approved programs; the event log was not checked'],
    [32, 'recognized programs with known vulnerabilities'],
    [33, 'programs that are not recognized'],
    [96, 'programs that are known to be bad'],
  ]),
  'file-system': new Map([
    [2, 'only approved files'],
    [32, 'files that are not recognized'],
    [96, 'files that are known to be bad'],
  ]),
  hardware: new Map([
    [2, 'genuine hardware and firmware, approved'],
    [32, 'genuine hardware with known vulnerabilities'],
    [96, 'genuine hardware that is not acceptable'],
    [97, 'hardware or firmware that is not recognized'],
  ]),
  'runtime-opaque': new Map([
    [2, 'memory is encrypted while in use'],
    [32, 'memory is isolated, but not encrypted'],
    [96, 'memory can be read from outside'],
  ]),
  'storage-opaque': new Map([
    [2, 'secrets are stored under keys that the hardware keeps'],
    [32, 'secrets are stored under keys that software keeps'],
    [96, 'secrets are stored unencrypted'],
  ]),
  'sourced-data': new Map([
    [2, 'its inputs come from trusted sources'],
    [32, 'some inputs come from sources that are not trusted'],
    [96, 'some inputs come from sources that are known to be bad'],
  ]),
};

/** One AR4SI value in words; a value without a name gets those of its range. */
export function trustWords(claim: TrustClaim, value: number): string {
  return COMMON.get(value) ?? NAMED[claim].get(value) ?? `${tierOf(value)}, by a value that has no name`;
}

/** What this view reads of a token (EAR); the rest of the claims is shown as it is. */
const earSchema = z.object({
  iss: z.string().optional(),
  iat: z.number().optional(),
  exp: z.number().optional(),
  eat_profile: z.string().optional(),
  submods: z
    .record(
      z.string(),
      z.object({
        'ear.status': z.string(),
        'ear.trustworthiness-vector': z.record(z.string(), z.number()).default({}),
        'ear.appraisal-policy-id': z.string().optional(),
      }),
    )
    .default({}),
});

/** A token's claims for people: who made it, until when, and the trust vector of each submodule in words. */
export function describeToken(claims: JsonObject, at: Date): string {
  const parsed = earSchema.safeParse(claims);
  if (!parsed.success) return 'The claims are not those of an EAR token; --json shows them.\n';
  const { submods, ...ear } = parsed.data;
  const head = table(
    ['TOKEN', ''],
    [
      ['issuer', cell(ear.iss)],
      ['profile', cell(ear.eat_profile)],
      ['issued', timeOf(ear.iat)],
      ['expires', `${timeOf(ear.exp)}${remaining(ear.exp, at)}`],
    ],
  );
  const parts = Object.entries(submods).map(([name, appraisal]) => {
    const vector = appraisal['ear.trustworthiness-vector'];
    const rows = TRUST_CLAIMS.flatMap((claim) => {
      const value = vector[claim];
      return value === undefined ? [] : [[claim, String(value), tierOf(value), trustWords(claim, value)]];
    });
    const title = table([name.toUpperCase(), appraisal['ear.status']], []);
    const policy = `policy ${cell(appraisal['ear.appraisal-policy-id'])}\n`;
    return `${title}${policy}${table(['CLAIM', 'VALUE', 'TIER', 'MEANING'], rows)}`;
  });
  return [head, ...parts].join('\n');
}

function timeOf(epochSeconds: number | undefined): string {
  if (epochSeconds === undefined) return '-';
  const time = new Date(epochSeconds * 1000);
  return Number.isNaN(time.getTime()) ? '-' : time.toISOString();
}

function remaining(expires: number | undefined, at: Date): string {
  if (expires === undefined) return '';
  const seconds = Math.round(expires - at.getTime() / 1000);
  return seconds > 0 ? ` (in ${seconds} s)` : ` (${-seconds} s ago)`;
}
