import { createHash } from 'node:crypto';
import { toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import type { Decision } from '../decisions/decision.ts';
import type { Appraisal } from './appraise.ts';
import type { BoundEvidence } from './bound-evidence.ts';

/** Whether the evidence was bound to a nonce that this service issued, to another's, or to none. */
export type RecordedNonce = 'issued' | 'foreign' | 'none';

/** What the record keeps of an attestation, however far it came. */
export function attestationRecord(steps: {
  readonly tees: readonly string[];
  readonly evidence: readonly BoundEvidence[];
  readonly nonce: RecordedNonce;
  readonly appraisals: readonly Appraisal[];
}): Pick<Decision, 'kind' | 'subject' | 'policy' | 'evidenceSha256' | 'detail'> {
  return {
    kind: 'attestation',
    subject: steps.tees.join(' '),
    policy: steps.appraisals[0]?.verdict.policy,
    evidenceSha256: evidenceDigest(steps.evidence),
    detail: {
      nonce: steps.nonce,
      submods: Object.fromEntries(steps.appraisals.map((one) => [one.name, appraisalDetail(one)])),
    },
  };
}

function appraisalDetail({ submodule, verdict }: Appraisal): JsonObject {
  return {
    tee: submodule.tee,
    policy: verdict.policy.name,
    policy_sha384: verdict.policy.sha384,
    trust_vector: verdict.trustVector,
    reference_values_asked: verdict.referenceValuesAsked,
    ...(submodule.isSimulated && { simulated: true }),
  };
}

/** One document: its own digest. Several: the digest of their digests in order. */
function evidenceDigest(evidence: readonly BoundEvidence[]): string | undefined {
  const [first, ...others] = evidence;
  if (first === undefined || others.length === 0) return first?.sha256;
  return toHex(
    createHash('sha256')
      .update(evidence.map(({ sha256 }) => sha256).join('\n'))
      .digest(),
  );
}
