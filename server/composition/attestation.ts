import type { Administrator } from '../admin/admin-auth.ts';
import { type Attest, createAttest, type TokenContent } from '../attestation/attest.ts';
import type { AttestationRoutesOptions } from '../attestation/attestation-routes.ts';
import type { Config } from '../config/load-config.ts';
import type { DecisionLog } from '../decisions/decision.ts';
import type { Tee } from '../evidence/tee.ts';
import { createNonces } from '../freshness/nonce.ts';
import { createNonceRepository } from '../freshness/nonce-repository.ts';
import type { TicketKeys } from '../freshness/ticket.ts';
import type { Storage } from '../storage/open-storage.ts';
import { type EarIssuer, type EarSubmodule, mintEar } from '../token/ear.ts';
import type { JwksRoutesOptions } from '../token/jwks-routes.ts';
import { type SigningKey, signingKeyFromPem } from '../token/signing-key.ts';
import { createTokenKeys, type TokenKeys } from '../token/token-keys.ts';
import type { VerifierRegistry } from '../verifiers/registry.ts';
import type { Activation } from '../verifiers/tpm/activation.ts';
import { answerTpmChallenge } from '../verifiers/tpm/activation-challenge.ts';
import type { AdminContext } from './admin-context.ts';
import { readConfiguredText } from './configured-file.ts';
import type { ComposedPolicies } from './policies.ts';

export interface ComposedAttestation {
  readonly attest: Attest;
  readonly issueNonce: (tee: Tee, at: Date) => string;
  readonly tokenKeys: TokenKeys;
  readonly routes: AttestationRoutesOptions;
  readonly jwks: JwksRoutesOptions;
  close(): Promise<void>;
}

interface Dependencies extends AdminContext {
  readonly storage: Storage;
  readonly verifiers: VerifierRegistry;
  readonly policies: ComposedPolicies;
  readonly decisions: DecisionLog;
  readonly ticketKeys: () => TicketKeys;
  readonly tpmActivation: Activation | undefined;
  readonly report: (error: unknown) => void;
}

/** Whoever sets a policy while anybody may. */
const ANYBODY: Administrator = { subject: 'unauthenticated', role: 'none' };

/** The attestation service; undefined where this process does not play the role. */
export async function composeAttestation(
  config: Config,
  dependencies: Dependencies,
): Promise<ComposedAttestation | undefined> {
  if (!config.roles.includes('as')) return undefined;
  const { clock, gate, storage, policies } = dependencies;
  const tokenKeys = await loadTokenKeys(config, dependencies);
  const spent = createNonceRepository(storage.db);
  const nonces = createNonces({
    keys: dependencies.ticketKeys,
    lifetimeSeconds: config.attestation.nonce_lifetime_seconds,
    spendOnce: async (nonce) => await spent.submit(nonce),
  });
  const issuer = earIssuer(config);
  const attest = createAttest({
    verifiers: dependencies.verifiers,
    nonces,
    nonceMode: config.attestation.nonce,
    evaluate: policies.evaluateAttestation,
    mint: async (content, at) => mintEar(toEarContent(content), issuer, tokenKeys.current(), at),
    decisions: dependencies.decisions,
    verboseToken: config.attestation.verbose_token,
  });
  const isOpen = config.attestation.dangerously_allow_unauthenticated_policy_changes;
  return {
    attest,
    issueNonce: nonces.issue,
    tokenKeys,
    routes: {
      attest,
      answerChallenge: (tee, params, at) => {
        const nonce = nonces.issue(tee, at);
        const { tpmActivation } = dependencies;
        return tee === 'tpm' && tpmActivation !== undefined
          ? answerTpmChallenge(tpmActivation, params, nonce, at)
          : nonce;
      },
      authorizePolicyChange: async (request) => {
        if (!isOpen) await gate.admit(request);
      },
      async setPolicy(name, source, request) {
        const administrator = isOpen ? ANYBODY : gate.administratorOf(request);
        return (await policies.set({ kind: 'attestation', name, source }, administrator, 'upstream'))
          .warnings;
      },
      findPolicy: async (id) => (await policies.store.find('attestation', id))?.source,
      listPolicies: async () =>
        (await policies.store.list()).filter(({ kind }) => kind === 'attestation').map(({ name }) => name),
      clock,
    },
    jwks: {
      publishedKeys: tokenKeys.published,
      issuer: config.attestation.issuer,
      publicUrl: ({ protocol, host }) => `${protocol}://${host}`,
    },
    close: spent.close,
  };
}

async function loadTokenKeys(config: Config, { storage, report }: Dependencies): Promise<TokenKeys> {
  const { signing_key_file: keyFile, signing_cert_file: certificateFile } = config.attestation;
  const configured: SigningKey | undefined =
    keyFile === undefined
      ? undefined
      : signingKeyFromPem(
          await readConfiguredText('attestation.signing_key_file', keyFile),
          certificateFile === undefined
            ? undefined
            : await readConfiguredText('attestation.signing_cert_file', certificateFile),
        );
  const tokenKeys = await createTokenKeys(storage.serverKeys, configured);
  storage.changes.on('server-key', () => {
    tokenKeys.reload().catch(report);
  });
  return tokenKeys;
}

function earIssuer({ attestation }: Config): EarIssuer {
  return {
    issuer: attestation.issuer,
    developer: attestation.developer,
    build: attestation.build,
    profile: attestation.profile,
    lifetimeSeconds: attestation.token_lifetime_seconds,
    audience: attestation.audience,
  };
}

function toEarContent({
  id,
  policyId,
  appraisals,
  teePublicKey,
  nonce,
}: TokenContent): Parameters<typeof mintEar>[0] {
  const [first, ...others] = appraisals.map(
    ({ name, submodule, verdict }): EarSubmodule => ({
      name,
      trustVector: verdict.trustVector,
      policyId,
      policy: verdict.policy,
      annotatedEvidence: submodule.input,
      extensions: verdict.extensions,
      isSimulated: submodule.isSimulated,
    }),
  );
  if (first === undefined)
    throw new Error('expected at least one appraisal, since every verifier proves one');
  return { id, submodules: [first, ...others], teePublicKey, nonce };
}
