import canonicalize from 'canonicalize';
import { z } from 'zod';
import { sha384 } from '../bytes/byte-strings.ts';
import { toBase64 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { CommandError } from './command-error.ts';
import type { EvidenceFile } from './command-io.ts';

const sampleSchema = z.looseObject({ svn: z.string(), report_data: z.string().default('') });

/**
 * What the sample attester of Confidential Containers makes: evidence that anybody can make, bound to its runtime
 * data by the SHA-384 of the canonical form (RFC 8785), as a real TEE binds it.
 */
export function createSampleEvidence(runtimeData: JsonObject): JsonObject {
  const canonical = canonicalize(runtimeData);
  if (canonical === undefined) throw new CommandError('INPUT_INVALID', 'expected runtime data that is JSON');
  return { svn: '1', report_data: toBase64(sha384(canonical)) };
}

/** Reads sample evidence without judging it. */
export function inspectSampleEvidence(evidence: EvidenceFile): JsonObject {
  const parsed = sampleSchema.safeParse(evidence.form === 'json' ? evidence.document : undefined);
  if (!parsed.success) throw new CommandError('INPUT_INVALID', 'expected the JSON of sample evidence');
  return { svn: parsed.data.svn, report_data: parsed.data.report_data };
}
