import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { AccessRule } from '../../../server/admin/acl.ts';
import { createAdminAuth, type IdentityProvider } from '../../../server/admin/admin-auth.ts';
import { createRecordAdminChange } from '../../../server/admin/admin-change.ts';
import { createAttest, type TokenContent } from '../../../server/attestation/attest.ts';
import { fromBase64Url, toBase64Url } from '../../../server/bytes/encoding.ts';
import type { Json, JsonObject } from '../../../server/claims/claims.ts';
import type { TrustVector } from '../../../server/claims/trust-vector.ts';
import type { Decision } from '../../../server/decisions/decision.ts';
import { createDecisionLog } from '../../../server/decisions/decision-log.ts';
import { createDecisionRepository } from '../../../server/decisions/decision-repository.ts';
import { createNonces } from '../../../server/freshness/nonce.ts';
import { createNonceRepository } from '../../../server/freshness/nonce-repository.ts';
import { mintTicket, openTicket, type TicketKeys } from '../../../server/freshness/ticket.ts';
import { createBackgroundCheck } from '../../../server/kbs/background-check.ts';
import { createBeginHandshake } from '../../../server/kbs/handshake.ts';
import { replyWithKbsError } from '../../../server/kbs/kbs-error-routes.ts';
import { kbsRoutes } from '../../../server/kbs/kbs-routes.ts';
import { createManageResource } from '../../../server/kbs/manage-resource.ts';
import type { PolicyChange } from '../../../server/kbs/policy-routes.ts';
import { createReleaseResource } from '../../../server/kbs/release-resource.ts';
import { createSessionRepository } from '../../../server/kbs/session-repository.ts';
import type { ResourceRequest } from '../../../server/policy/resource-policy.ts';
import { createResourceRepository } from '../../../server/resources/resource-repository.ts';
import { createAtRest } from '../../../server/storage/at-rest.ts';
import type { Changes } from '../../../server/storage/changes.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import { DEFAULT_EAR_ISSUER, mintEar } from '../../../server/token/ear.ts';
import { createEarVerifier } from '../../../server/token/ear-verifier.ts';
import { liveKeys } from '../../../server/token/key-source.ts';
import { makeSigningKey, signingKeyFromStore } from '../../../server/token/signing-key.ts';
import { parseVerificationKey } from '../../../server/token/verification-key.ts';
import { createVerifierRegistry } from '../../../server/verifiers/registry.ts';
import { sampleDeviceVerifier, sampleVerifier } from '../../../server/verifiers/sample/sample-verifier.ts';
import { createTestDatabase } from '../../fakes/test-database.ts';
import { AT, type FakeIssuer, fakeIssuer } from '../token/fake-issuer.ts';

/** What a test may choose; everything else is as in the program, down to Postgres. */
export interface FakeKbsOptions {
  readonly trustVector: TrustVector;
  readonly allows: (claims: JsonObject, request: ResourceRequest) => boolean | Promise<boolean>;
  readonly acls: readonly AccessRule[];
  readonly setPolicy: (rego: string) => Promise<PolicyChange>;
  readonly referenceValues: ReadonlyMap<string, Json>;
  readonly isPassportOnly: boolean;
}

export interface FakeKbs {
  readonly app: FastifyInstance;
  readonly admin: FakeIssuer;
  /** What the resource policy was asked. */
  readonly asked: ResourceRequest[];
  readonly policySha384: string;
  adminToken(claims?: object): string;
  /** A token of the attestation service that it trusts, for a TEE key. */
  earFor(key: object, submodules?: object): string;
  decisions(): Promise<readonly Decision[]>;
  rows(table: 'kbs_session' | 'spent_nonce' | 'decision' | 'resource'): Promise<number>;
  setTime(at: Date): void;
  close(): Promise<void>;
}

export const MAX_RESOURCE_BYTES = 4096;
const SESSION_SECONDS = 300;
const POLICY = { name: 'default_cpu', sha384: 'ab'.repeat(48) };
const RESOURCE_POLICY = { name: 'resource-policy', sha384: 'cd'.repeat(48) };

/** With no other replica there is nobody to tell. */
const oneReplica: Changes = { announce: async () => undefined, on: () => undefined };

export async function startFakeKbs(chosen: Partial<FakeKbsOptions> = {}): Promise<FakeKbs> {
  const options: FakeKbsOptions = {
    trustVector: { hardware: 2 },
    allows: () => true,
    acls: [{ role: 'admin', allowedEndpoints: '^/kbs/v0/.*$' }],
    setPolicy: async () => ({ warnings: [], decisionId: 'policy decision' }),
    referenceValues: new Map(),
    isPassportOnly: false,
    ...chosen,
  };
  const database = await createTestDatabase();
  const { db } = database;
  let now = AT;
  const clock = () => now;
  const atRest = await createAtRest(db, parseMasterKey(randomBytes(32).toString('hex')), clock);
  const repository = createDecisionRepository(db);
  const decisions = createDecisionLog(async (rows) => {
    await repository.insert(rows);
  });
  const sessions = createSessionRepository(db, atRest);
  const resources = createResourceRepository(db, atRest, oneReplica, { maxBytes: MAX_RESOURCE_BYTES });

  const tokenKey = signingKeyFromStore(makeSigningKey().secret);
  const tokenKeys = [parseVerificationKey(tokenKey.publicJwk)];
  const ticketKeys: TicketKeys = [createSecretKey(randomBytes(32))];
  const spentNonces = createNonceRepository(db);
  const nonces = createNonces({
    keys: () => ticketKeys,
    lifetimeSeconds: SESSION_SECONDS,
    spendOnce: async (nonce) => await spentNonces.submit(nonce),
  });
  const attest = createAttest({
    verifiers: createVerifierRegistry({ sample: sampleVerifier, sampledevice: sampleDeviceVerifier }),
    nonces,
    nonceMode: 'required',
    evaluate: async () => ({
      policy: POLICY,
      trustVector: options.trustVector,
      extensions: {},
      referenceValuesAsked: {},
    }),
    mint: async (content, at) => mintEar(earContent(content), DEFAULT_EAR_ISSUER, tokenKey, at),
    decisions,
    verboseToken: true,
  });

  const admin = fakeIssuer('EdDSA', 'admin key');
  const provider: IdentityProvider = { issuer: 'admins', audience: 'kbs', keys: admin.keys };
  const authorize = createAdminAuth({
    mode: 'bearer-jwt',
    identityProviders: [provider],
    acls: options.acls,
  });
  const asked: ResourceRequest[] = [];

  // A target that cannot be decoded reaches no route: the application answers, in the form of the path's prefix.
  const app = Fastify({
    bodyLimit: 1 << 16,
    frameworkErrors: (error, request, reply) => {
      void replyWithKbsError('InvalidRequestPath')(error, request, reply);
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const common = { authorize, clock };
  const purpose = 'kbs handshake';
  await app.register(kbsRoutes, {
    prefix: '/kbs/v0',
    rcar: options.isPassportOnly
      ? undefined
      : {
          beginHandshake: createBeginHandshake({
            challenge: (tee, _parameters, at) => nonces.issue(tee, at),
            issueHandshake: (payload, expiresAt) =>
              toBase64Url(mintTicket(ticketKeys, purpose, payload, expiresAt)),
            lifetimeSeconds: SESSION_SECONDS,
          }),
          checkInBackground: createBackgroundCheck({
            openTicket: (text, at) => openTicket(ticketKeys, purpose, fromBase64Url(text), at).payload,
            attest,
            sessions,
            lifetimeSeconds: SESSION_SECONDS,
          }),
          maxEvidenceBytes: 1 << 16,
          clock,
        },
    attestationPolicy: options.isPassportOnly
      ? undefined
      : { ...common, setAttestationPolicy: async (_id, rego) => await options.setPolicy(rego) },
    referenceValues: options.isPassportOnly
      ? undefined
      : { ...common, findReferenceValue: async (name) => options.referenceValues.get(name) },
    resourcePolicy: {
      ...common,
      setResourcePolicy: options.setPolicy,
      listResourcePolicies: async () => ['resource-policy'],
    },
    resources: {
      ...common,
      release: createReleaseResource({
        sessions,
        verifyToken: createEarVerifier({
          issuers: [
            {
              issuer: DEFAULT_EAR_ISSUER.issuer,
              audience: undefined,
              profiles: undefined,
              keys: liveKeys(() => tokenKeys),
            },
          ],
        }),
        extraTeeKeyPointers: [],
        evaluate: async (claims, request) => {
          asked.push(request);
          return { policy: RESOURCE_POLICY, allowed: await options.allows(claims, request) };
        },
        resources,
        decisions,
      }),
      manage: createManageResource(resources, createRecordAdminChange(decisions)),
      maxResourceBytes: MAX_RESOURCE_BYTES,
    },
  });

  return {
    app,
    admin,
    asked,
    policySha384: RESOURCE_POLICY.sha384,
    adminToken: (claims = {}) =>
      admin.token({
        iss: 'admins',
        aud: ['kbs'],
        sub: 'alice',
        role: 'admin',
        exp: now.getTime() / 1000 + 60,
        ...claims,
      }),
    earFor: (key) =>
      mintEar(
        earContent({
          id: 'a token',
          policyId: 'default',
          appraisals: [
            {
              name: 'cpu0',
              submodule: {
                tee: 'snp',
                class: 'cpu',
                isSimulated: false,
                input: { runtime_data_claims: { 'tee-pubkey': key as JsonObject } },
              },
              verdict: {
                policy: POLICY,
                trustVector: options.trustVector,
                extensions: {},
                referenceValuesAsked: {},
              },
            },
          ],
          teePublicKey: key as JsonObject,
          nonce: undefined,
        }),
        DEFAULT_EAR_ISSUER,
        tokenKey,
        now,
      ),
    decisions: async () => await repository.list({ limit: 100 }),
    rows: async (table) => {
      const { count } = await db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll<string>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    setTime: (at) => {
      now = at;
    },
    async close() {
      await app.close();
      await decisions.close();
      await spentNonces.close();
      await database.drop();
    },
  };
}

function earContent({
  id,
  policyId,
  appraisals,
  teePublicKey,
  nonce,
}: TokenContent): Parameters<typeof mintEar>[0] {
  const [first, ...others] = appraisals.map(({ name, submodule, verdict }) => ({
    name,
    trustVector: verdict.trustVector,
    policyId,
    policy: verdict.policy,
    annotatedEvidence: submodule.input,
    extensions: verdict.extensions,
    isSimulated: submodule.isSimulated,
  }));
  if (first === undefined) throw new Error('expected at least one appraisal');
  return { id, submodules: [first, ...others], teePublicKey, nonce };
}

/** A TEE's key pair: what a guest binds into its evidence, and opens resources with. */
export function teeKey(namedCurve = 'P-256'): {
  readonly publicJwk: JsonObject;
  readonly privateKey: KeyObject;
} {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ECDH-ES+A256KW' };
  return { publicJwk: JSON.parse(JSON.stringify(jwk)) as JsonObject, privateKey };
}
