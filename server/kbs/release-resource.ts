import type { JsonObject } from '../claims/claims.ts';
import type { Decision, DecisionLog } from '../decisions/decision.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { DecidedError } from '../errors/decided-error.ts';
import { PolicyError, type PolicyRef } from '../policy/policy.ts';
import type { EvaluateResourcePolicy } from '../policy/resource-policy.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import type { SealedResource } from '../protocol/sealed-resource.ts';
import type { ResourcePath } from '../resources/resource-path.ts';
import type { ResourceRepository } from '../resources/resource-repository.ts';
import type { VerifiedClaims, VerifiedToken, VerifyEar } from '../token/ear-verifier.ts';
import { findTeePublicKey, type TeePublicKey } from '../token/tee-public-key.ts';
import { KbsError } from './kbs-error.ts';
import { seal } from './seal.ts';
import { readSessionCookie } from './session-cookie.ts';
import type { SessionRepository } from './session-repository.ts';

export interface ReleaseDependencies {
  readonly sessions: Pick<SessionRepository, 'findToken'>;
  readonly verifyToken: VerifyEar;
  /** JSON pointers to the TEE's key beside the well-known ones. */
  readonly extraTeeKeyPointers: readonly string[];
  readonly evaluate: EvaluateResourcePolicy;
  readonly resources: Pick<ResourceRepository, 'find'>;
  readonly decisions: DecisionLog;
}

export interface ReleaseRequest {
  /** The `Cookie` and `Authorization` headers as they came; an attested session goes before a token. */
  readonly cookie: string | undefined;
  readonly authorization: string | undefined;
  readonly path: ResourcePath;
  readonly query: Readonly<Record<string, string>>;
}

export interface Release {
  readonly sealed: SealedResource;
  readonly decisionId: string;
}

export type ReleaseResource = (request: ReleaseRequest, at: Date) => Promise<Release>;

/** How far a request came; what the record tells of it. */
interface Steps {
  token: VerifiedToken | undefined;
  policy: PolicyRef | undefined;
}

const BEARER = /^Bearer +([^\s]+)$/i;
const MAX_RECORDED_SUBMODULES = 32;

/**
 * Releases a resource to the TEE whose token the guest presents, sealed to the TEE's key. Every outcome for a presented
 * token is recorded, durably, before it is answered. Throws KbsError TOKEN_NOT_FOUND when none is presented; otherwise
 * DecidedError, whose cause says why.
 */
export function createReleaseResource(dependencies: ReleaseDependencies): ReleaseResource {
  const { decisions } = dependencies;
  const teeKeyOf = rememberTeeKeys(dependencies.extraTeeKeyPointers);
  return async (request, at) => {
    const token = await findToken(request, dependencies.sessions, at);
    const decisionId = decisions.newId(at);
    const steps: Steps = { token: undefined, policy: undefined };
    const record = async (outcome: Pick<Decision, 'outcome' | 'code'>): Promise<void> => {
      await decisions.record({ id: decisionId, at, ...outcome, ...releaseRecord(request.path, steps) });
    };
    try {
      const sealed = await release(token, request, steps, { ...dependencies, teeKeyOf }, at);
      await record({ outcome: 'granted', code: undefined });
      return { sealed, decisionId };
    } catch (error) {
      await record(outcomeOf(error));
      throw new DecidedError(decisionId, error);
    }
  };
}

/** The policy is asked before anybody looks whether the resource exists: who is denied does not learn that either. */
async function release(
  token: string,
  { path, query }: ReleaseRequest,
  steps: Steps,
  { verifyToken, teeKeyOf, evaluate, resources }: ReleaseDependencies & { readonly teeKeyOf: TeeKeyOf },
  at: Date,
): Promise<SealedResource> {
  steps.token = await verifyToken(token, at);
  const { claims } = steps.token;
  const teeKey = teeKeyOf(claims);
  const verdict = await evaluate(claims, { plugin: 'resource', path: path.split('/'), query }, at);
  steps.policy = verdict.policy;
  if (!verdict.allowed) {
    throw new KbsError(
      'POLICY_DENIED',
      `policy '${verdict.policy.name}' does not release '${path}' to this guest`,
    );
  }
  const content = await resources.find(path);
  if (content === undefined) throw new KbsError('RESOURCE_NOT_FOUND', `no resource at '${path}'`);
  return await seal(content, teeKey);
}

type TeeKeyOf = (claims: VerifiedClaims) => TeePublicKey;

/** A guest fetches several resources with one token; its claims are the same object each time, and never change. */
function rememberTeeKeys(extraPointers: readonly string[]): TeeKeyOf {
  const known = new WeakMap<VerifiedClaims, TeePublicKey>();
  return (claims) => {
    const key = known.get(claims) ?? findTeePublicKey(claims, extraPointers);
    known.set(claims, key);
    return key;
  };
}

async function findToken(
  { cookie, authorization }: ReleaseRequest,
  sessions: ReleaseDependencies['sessions'],
  at: Date,
): Promise<string> {
  const session = readSessionCookie(cookie);
  const ofSession = session?.kind === 'session' ? await sessions.findToken(session.value, at) : undefined;
  const token = ofSession ?? BEARER.exec(authorization ?? '')?.[1];
  if (token !== undefined) return token;
  throw new KbsError(
    'TOKEN_NOT_FOUND',
    "expected the cookie of an attested session or an 'Authorization: Bearer' header with a token, got neither",
  );
}

/** `denied`: it was judged. `failed`: it could not be, through no fault of the guest's. */
function outcomeOf(error: unknown): Pick<Decision, 'outcome' | 'code'> {
  if (!(error instanceof CodedError)) return { outcome: 'failed', code: 'INTERNAL_ERROR' };
  const isOurs = error instanceof CouldNotCheckError || error instanceof PolicyError;
  return { outcome: isOurs ? 'failed' : 'denied', code: String(error.code) };
}

function releaseRecord(
  path: ResourcePath,
  { token, policy }: Steps,
): Pick<Decision, 'kind' | 'subject' | 'policy' | 'evidenceSha256' | 'detail'> {
  return {
    kind: 'release',
    subject: `resource ${path}`,
    policy,
    evidenceSha256: undefined,
    detail: token === undefined ? {} : tokenDetail(token),
  };
}

function tokenDetail({ claims, issuer, id }: VerifiedToken): JsonObject {
  const submodules = isJsonObject(claims['submods']) ? Object.entries(claims['submods']) : [];
  return {
    token: { ...(id !== undefined && { jti: id }), issuer },
    submods: Object.fromEntries(
      submodules
        .slice(0, MAX_RECORDED_SUBMODULES)
        .map(([name, submodule]) => [name, submoduleDetail(submodule)]),
    ),
  };
}

function submoduleDetail(submodule: unknown): JsonObject {
  if (!isJsonObject(submodule)) return {};
  return {
    status: submodule['ear.status'] ?? null,
    trust_vector: submodule['ear.trustworthiness-vector'] ?? null,
  };
}
