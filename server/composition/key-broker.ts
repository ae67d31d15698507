import { fromBase64Url, toBase64Url } from '../bytes/encoding.ts';
import type { Config } from '../config/load-config.ts';
import type { DecisionLog } from '../decisions/decision.ts';
import { mintTicket, openTicket, type TicketKeys } from '../freshness/ticket.ts';
import { createBackgroundCheck } from '../kbs/background-check.ts';
import { createBeginHandshake } from '../kbs/handshake.ts';
import type { KbsRoutesOptions } from '../kbs/kbs-routes.ts';
import { createManageResource } from '../kbs/manage-resource.ts';
import type { RcarRoutesOptions } from '../kbs/rcar-routes.ts';
import { createReleaseResource } from '../kbs/release-resource.ts';
import { createSessionRepository, type SessionRepository } from '../kbs/session-repository.ts';
import type { ReferenceValueRepository } from '../reference-values/reference-value-repository.ts';
import { createResourceRepository } from '../resources/resource-repository.ts';
import type { Storage } from '../storage/open-storage.ts';
import { createEarVerifier } from '../token/ear-verifier.ts';
import type { AdminContext } from './admin-context.ts';
import type { ComposedAttestation } from './attestation.ts';
import { trustedIssuers } from './issuers.ts';
import type { ComposedPolicies } from './policies.ts';

interface Dependencies extends AdminContext {
  readonly storage: Storage;
  readonly policies: ComposedPolicies;
  readonly decisions: DecisionLog;
  readonly ticketKeys: () => TicketKeys;
  /** Undefined: there is none in this process, and guests come with tokens of others. */
  readonly attestation: ComposedAttestation | undefined;
  readonly referenceValues: ReferenceValueRepository;
  readonly fetch: typeof globalThis.fetch;
}

const HANDSHAKE = 'kbs-handshake';
/** Upstream has one resource policy, by this name. */
const RESOURCE_POLICY = 'resource-policy';

/** The key broker. */
export async function composeKeyBroker(
  config: Config,
  dependencies: Dependencies,
): Promise<KbsRoutesOptions> {
  const { authorize, clock, recordChange, storage, policies, decisions, attestation } = dependencies;
  const sessions = createSessionRepository(storage.db, storage.atRest);
  const resources = createResourceRepository(storage.db, storage.atRest, storage.changes, {
    maxBytes: config.kbs.max_resource_bytes,
  });
  const admin = { authorize, clock };
  return {
    rcar: attestation && rcarOptions(config, sessions, attestation, dependencies),
    attestationPolicy: attestation && {
      ...admin,
      setAttestationPolicy: async (name, source, administrator) =>
        await policies.set({ kind: 'attestation', name, source }, administrator, 'upstream'),
    },
    referenceValues: attestation && {
      ...admin,
      findReferenceValue: async (name, at) => (await dependencies.referenceValues.find(name, at))?.value,
    },
    resourcePolicy: {
      ...admin,
      setResourcePolicy: async (source, administrator) =>
        await policies.set({ kind: 'resource', name: RESOURCE_POLICY, source }, administrator, 'upstream'),
      listResourcePolicies: async () =>
        (await policies.store.list()).filter(({ kind }) => kind === 'resource').map(({ name }) => name),
    },
    resources: {
      ...admin,
      maxResourceBytes: config.kbs.max_resource_bytes,
      manage: createManageResource(resources, recordChange),
      release: createReleaseResource({
        sessions,
        verifyToken: createEarVerifier({
          issuers: await trustedIssuers(config, attestation?.tokenKeys, dependencies.fetch),
        }),
        extraTeeKeyPointers: config.kbs.extra_tee_key_paths,
        evaluate: policies.evaluateResource,
        resources,
        decisions,
      }),
    },
  };
}

function rcarOptions(
  config: Config,
  sessions: SessionRepository,
  attestation: ComposedAttestation,
  { clock, ticketKeys }: Dependencies,
): RcarRoutesOptions {
  const lifetimeSeconds = config.kbs.session_lifetime_seconds;
  return {
    clock,
    maxEvidenceBytes: config.http.body_limit_bytes,
    beginHandshake: createBeginHandshake({
      challenge: (tee, _teeParams, at) => attestation.issueNonce(tee, at),
      issueHandshake: (payload, expiresAt) =>
        toBase64Url(mintTicket(ticketKeys(), HANDSHAKE, payload, expiresAt)),
      lifetimeSeconds,
    }),
    checkInBackground: createBackgroundCheck({
      openTicket: (text, at) => openTicket(ticketKeys(), HANDSHAKE, fromBase64Url(text), at).payload,
      attest: attestation.attest,
      sessions,
      lifetimeSeconds,
    }),
  };
}
