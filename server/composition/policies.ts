import { join } from 'node:path';
import type { Administrator } from '../admin/admin-auth.ts';
import type { Config } from '../config/load-config.ts';
import { createAttestationPolicy, type EvaluateAttestationPolicy } from '../policy/attestation-policy.ts';
import { readCapabilities } from '../policy/capabilities.ts';
import { createPolicyCompiler } from '../policy/compile.ts';
import { createOpaFinder } from '../policy/find-opa.ts';
import type { PolicyKind } from '../policy/policy.ts';
import { createPolicyEngine } from '../policy/policy-engine.ts';
import { createPolicyRepository } from '../policy/policy-repository.ts';
import type { PolicyRoutesOptions, PolicySet } from '../policy/policy-routes.ts';
import { createPolicyStore, type PolicyStore } from '../policy/policy-store.ts';
import { createResourcePolicy, type EvaluateResourcePolicy } from '../policy/resource-policy.ts';
import { seedPolicies } from '../policy/seed-policies.ts';
import type { ReferenceValueRepository } from '../reference-values/reference-value-repository.ts';
import type { Storage } from '../storage/open-storage.ts';
import type { AdminContext } from './admin-context.ts';

/** Sets a policy for an administrator, recorded. `upstream`: whatever compiles is taken, as upstream's clients rely on. */
export type SetPolicyFor = (
  policy: { readonly kind: PolicyKind; readonly name: string; readonly source: string },
  administrator: Administrator,
  mode: 'strict' | 'upstream',
) => Promise<PolicySet>;

export interface ComposedPolicies {
  readonly store: PolicyStore;
  readonly set: SetPolicyFor;
  readonly evaluateAttestation: EvaluateAttestationPolicy;
  readonly evaluateResource: EvaluateResourcePolicy;
  readonly routes: PolicyRoutesOptions;
  /** Reference values have changed. */
  forgetReferenceValues(): void;
  /** Puts the policies of the folder in force where there are none yet; which ones those were. */
  seed(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What compiling policies needs from outside. */
export interface PolicyEnvironment {
  /** What finding or building OPA may read: PATH, HOME, and what Go needs. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Hears of work that takes a while at first start. */
  readonly onProgress: (line: string) => void;
  /** The folder with `attestation/`, `resource/` and `capabilities.json`. */
  readonly policyFolder: string;
}

interface Dependencies extends AdminContext, PolicyEnvironment {
  readonly storage: Storage;
  readonly referenceValues: ReferenceValueRepository;
}

/** Policies: compiled by OPA on write, kept in the database, evaluated in threads of their own. */
export async function composePolicies(config: Config, dependencies: Dependencies): Promise<ComposedPolicies> {
  const { clock, gate, recordChange, storage, referenceValues, policyFolder } = dependencies;
  const { db, changes } = storage;
  const findOpa = createOpaFinder({
    configuredPath: config.policy.opa,
    environment: dependencies.environment,
    onProgress: dependencies.onProgress,
  });
  const capabilities = await readCapabilities(join(policyFolder, 'capabilities.json'));
  const store = createPolicyStore({
    repository: createPolicyRepository(db, changes),
    compile: createPolicyCompiler({
      findOpa,
      capabilities,
      maxSourceBytes: config.policy.max_source_bytes,
    }),
    changes,
    clock,
  });
  const engine = createPolicyEngine({
    lookUpReferenceValues: referenceValues.findMany,
    threads: config.policy.workers,
    deadlineMs: config.policy.deadline_ms,
  });
  const forgetReferenceValues = (): void => {
    engine.forgetReferenceValues();
  };
  changes.on('reference-value', forgetReferenceValues);
  const set: SetPolicyFor = async (policy, administrator, mode) => {
    const change = { administrator, subject: `policy set ${policy.kind}/${policy.name.slice(0, 128)}` };
    const make = async (): ReturnType<PolicyStore['set']> =>
      await store.set({ ...policy, author: administrator.subject, mode });
    const { result, decisionId } = await recordChange(change, make, clock());
    return { ...result, decisionId };
  };
  return {
    store,
    set,
    evaluateAttestation: createAttestationPolicy(store, engine),
    evaluateResource: createResourcePolicy(store, engine),
    routes: {
      authorize: gate.admit,
      list: store.list,
      listVersions: store.listVersions,
      find: store.find,
      set: async (policy, request) => await set(policy, gate.administratorOf(request), 'strict'),
    },
    forgetReferenceValues,
    seed: async () => await seedPolicies(store, policyFolder),
    close: engine.close,
  };
}
