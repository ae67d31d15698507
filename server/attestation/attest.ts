import type { JsonObject } from '../claims/claims.ts';
import type { Decision, DecisionLog } from '../decisions/decision.ts';
import { isCodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { DecidedError } from '../errors/decided-error.ts';
import { isTee, type Tee } from '../evidence/tee.ts';
import type { EvaluateAttestationPolicy } from '../policy/attestation-policy.ts';
import { PolicyError } from '../policy/policy.ts';
import type { VerifierRegistry } from '../verifiers/registry.ts';
import { type Appraisal, appraise, type Submodule } from './appraise.ts';
import { attestationRecord, type RecordedNonce } from './attestation-record.ts';
import type { AttestationRequest } from './attestation-request.ts';
import { type BoundEvidence, parseBoundEvidence } from './bound-evidence.ts';
import { toPolicyInput } from './policy-input.ts';
import { AttestationRequestError } from './request-error.ts';

/** Fresh nonces for guests. Spending one works once, on whichever replica. */
export interface Nonces {
  issue(tee: Tee, at: Date): string;
  /** Spends a nonce that this service issued; throws when it is expired, used, or another TEE's. `foreign`: not ours. */
  spend(nonce: string, tees: readonly Tee[], at: Date): Promise<'spent' | 'foreign'>;
}

/** What the signer needs to know to mint the token of these appraisals. */
export interface TokenContent {
  readonly id: string;
  readonly policyId: string;
  readonly appraisals: readonly Appraisal[];
  readonly teePublicKey: JsonObject | undefined;
  /** The nonce that this service issued and has now spent. */
  readonly nonce: string | undefined;
}

export interface AttestDependencies {
  readonly verifiers: VerifierRegistry;
  readonly nonces: Nonces;
  readonly nonceMode: 'required' | 'accept-foreign';
  readonly evaluate: EvaluateAttestationPolicy;
  readonly mint: (content: TokenContent, at: Date) => Promise<string>;
  readonly decisions: DecisionLog;
  readonly verboseToken: boolean;
}

export interface Attestation {
  /** The EAR, a compact JWS. */
  readonly token: string;
  readonly decisionId: string;
  readonly warnings: readonly string[];
}

export type Attest = (request: AttestationRequest, at: Date) => Promise<Attestation>;

const DEFAULT_POLICY_ID = 'default';

/**
 * The main job: evidence becomes claims, claims are judged, the judgement is signed. Every outcome is recorded before it
 * is answered. Throws DecidedError whose cause says why: the evidence is bad, or could not be checked.
 */
export function createAttest(dependencies: AttestDependencies): Attest {
  const { decisions } = dependencies;
  return async (request, at) => {
    const decisionId = decisions.newId(at);
    const steps: Steps = { tees: teeNames(request), evidence: [], nonce: 'none', appraisals: [] };
    const record = async (outcome: Pick<Decision, 'outcome' | 'code'>): Promise<void> => {
      await decisions.record({ id: decisionId, at, ...outcome, ...attestationRecord(steps) });
    };
    try {
      const token = await attest(request, decisionId, steps, dependencies, at);
      await record({ outcome: 'granted', code: undefined });
      return { token, decisionId, warnings: warningsFor(request) };
    } catch (error) {
      await record(failure(error));
      throw new DecidedError(decisionId, error);
    }
  };
}

/** How far a request came; what the record tells of it. */
interface Steps {
  readonly tees: readonly string[];
  evidence: readonly BoundEvidence[];
  nonce: RecordedNonce;
  appraisals: readonly Appraisal[];
}

/** What the client asked about, told apart from what it only claims to be a TEE. */
function teeNames(request: AttestationRequest): readonly string[] {
  return request.verification_requests.map(({ tee }) => (isTee(tee) ? tee : 'unknown'));
}

/** Refused for what it is; or not judged, for want of something or because the policy is broken. */
function failure(error: unknown): Pick<Decision, 'outcome' | 'code'> {
  if (error instanceof CouldNotCheckError || error instanceof PolicyError) {
    return { outcome: 'failed', code: error.code };
  }
  if (isCodedError(error)) return { outcome: 'denied', code: error.code };
  return { outcome: 'failed', code: 'INTERNAL_ERROR' };
}

async function attest(
  request: AttestationRequest,
  id: string,
  steps: Steps,
  { verifiers, nonces, nonceMode, evaluate, mint, verboseToken }: AttestDependencies,
  at: Date,
): Promise<string> {
  const policyId = request.policy_ids[0] ?? DEFAULT_POLICY_ID;
  steps.evidence = request.verification_requests.map((one) => parseBoundEvidence(one, verifiers));
  const nonce = await spendNonce(steps.evidence, nonces, at);
  steps.nonce = nonce.kind;
  if (nonceMode === 'required' && nonce.kind !== 'issued') throw nonceRequired(nonce.kind);
  const proven = await Promise.all(steps.evidence.map((one) => verify(one, verboseToken, at)));
  steps.appraisals = await appraise(proven.flat(), policyId, evaluate, at);
  return await mint(
    {
      id,
      policyId,
      appraisals: steps.appraisals,
      teePublicKey: steps.evidence[0]?.runtimeData.teePublicKey,
      nonce: nonce.kind === 'issued' ? nonce.text : undefined,
    },
    at,
  );
}

/** All evidence of one request is bound to one nonce, which is spent before anything is proven: one attempt a nonce. */
async function spendNonce(
  evidence: readonly BoundEvidence[],
  nonces: Nonces,
  at: Date,
): Promise<{ kind: RecordedNonce; text: string }> {
  const [text, ...others] = new Set(evidence.flatMap(({ runtimeData }) => runtimeData.nonce ?? []));
  if (text === undefined) return { kind: 'none', text: '' };
  if (others.length > 0) {
    throw new AttestationRequestError(
      'NONCES_DIFFER',
      `expected all evidence of a request to be bound to one nonce, got ${others.length + 1}`,
    );
  }
  const tees = evidence.map(({ tee }) => tee);
  return { kind: (await nonces.spend(text, tees, at)) === 'spent' ? 'issued' : 'foreign', text };
}

async function verify(evidence: BoundEvidence, verbose: boolean, at: Date): Promise<readonly Submodule[]> {
  const { tee, isSimulated, runtimeData, initDataClaims } = evidence;
  const proven = await evidence.verifier.verify(evidence.evidence, evidence.expected, at);
  return proven.map((one) => ({
    tee,
    class: one.class,
    isSimulated,
    input: toPolicyInput(one.claims, {
      tee,
      runtimeDataClaims: runtimeData.claims,
      initDataClaims,
      verbose,
    }),
  }));
}

function nonceRequired(kind: RecordedNonce): AttestationRequestError {
  return new AttestationRequestError(
    'NONCE_REQUIRED',
    `expected evidence bound to a nonce from POST /challenge, got ${kind === 'none' ? 'none' : 'one of another origin'}`,
  );
}

/** Upstream judges by the first policy only and says so in its log; we say so to the client. */
function warningsFor(request: AttestationRequest): readonly string[] {
  return request.policy_ids.length > 1
    ? [`judged by policy '${request.policy_ids[0] ?? ''}' alone; the other policy_ids were not used`]
    : [];
}
