import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Changes } from '../storage/changes.ts';
import type { CompileMode, CompilePolicy } from './compile.ts';
import { PolicyError, type PolicyKind, type PolicyRef, type PolicyRule, parsePolicyName } from './policy.ts';
import type {
  PolicyRepository,
  PolicySummary,
  PolicyVersion,
  PolicyVersionSummary,
} from './policy-repository.ts';
import type { PolicyModule } from './policy-thread.ts';

export interface SetPolicy {
  readonly kind: PolicyKind;
  readonly name: string;
  /** Rego. */
  readonly source: string;
  /** Who put it in force: goes into the record. */
  readonly author: string;
  readonly mode: CompileMode;
}

/** A policy in force, ready to be evaluated. */
export interface ActivePolicy {
  readonly ref: PolicyRef;
  readonly rules: readonly PolicyRule[];
  readonly module: PolicyModule;
}

/** Policies: compiled when they are written, loaded when they are first asked for, reloaded when they change. */
export interface PolicyStore {
  /** Compiles and puts in force; a policy that does not compile changes nothing. Throws PolicyError. */
  set(policy: SetPolicy): Promise<{ readonly ref: PolicyRef; readonly warnings: readonly string[] }>;
  /** As `set`, where no policy of that name is in force; else does not even compile. Whether it did. */
  setIfAbsent(policy: SetPolicy): Promise<boolean>;
  /** The version in force; undefined when there is none. Throws PolicyError POLICY_NAME_INVALID. */
  find(kind: PolicyKind, name: string): Promise<PolicyVersion | undefined>;
  list(): Promise<readonly PolicySummary[]>;
  /** The newest versions of one policy, newest first. */
  listVersions(kind: PolicyKind, name: string): Promise<readonly PolicyVersionSummary[]>;
  /** Throws PolicyError: POLICY_NOT_FOUND, POLICY_NAME_INVALID. */
  active(kind: PolicyKind, name: string): Promise<ActivePolicy>;
}

export interface PolicyStoreOptions {
  readonly repository: PolicyRepository;
  readonly compile: CompilePolicy;
  readonly changes: Pick<Changes, 'on'>;
  readonly clock: Clock;
}

/** Policies in use at a time; each a module of some hundred KiB. */
const KEPT_POLICIES = 128;
const LISTED_VERSIONS = 100;

export function createPolicyStore({ repository, compile, changes, clock }: PolicyStoreOptions): PolicyStore {
  const kept = new LRUCache<string, Promise<ActivePolicy>>({ max: KEPT_POLICIES });
  changes.on('policy', () => {
    kept.clear();
  });
  const compileVersion = async (policy: SetPolicy): Promise<[PolicyVersion, readonly string[]]> => {
    const { warnings, ...compiled } = await compile(policy);
    const { kind, name, source, author } = policy;
    return [{ ...compiled, kind, name, source, author, createdAt: clock() }, warnings];
  };

  return {
    async set(policy) {
      const name = parsePolicyName(policy.name);
      const [version, warnings] = await compileVersion(policy);
      await repository.put(version);
      kept.clear(); // the change feed tells the others; whoever wrote it sees it at once
      return { ref: { name, sha384: version.sourceSha384 }, warnings };
    },
    async setIfAbsent(policy) {
      if ((await repository.findActive(policy.kind, parsePolicyName(policy.name))) !== undefined)
        return false;
      const [version] = await compileVersion(policy);
      return await repository.putIfAbsent(version);
    },
    find: async (kind, name) => await repository.findActive(kind, parsePolicyName(name)),
    list: async () => await repository.listActive(),
    listVersions: async (kind, name) =>
      await repository.listVersions(kind, parsePolicyName(name), LISTED_VERSIONS),
    async active(kind, name) {
      const key = `${kind}/${name}`;
      const known = kept.get(key);
      if (known !== undefined) return await known;
      const loading = load(repository, kind, name);
      kept.set(key, loading);
      try {
        return await loading;
      } catch (error) {
        // What is not there is not kept: names come from clients, and a policy may come later.
        if (kept.peek(key) === loading) kept.delete(key);
        throw error;
      }
    },
  };
}

async function load(repository: PolicyRepository, kind: PolicyKind, name: string): Promise<ActivePolicy> {
  const version = await repository.findActive(kind, parsePolicyName(name));
  if (version === undefined) {
    throw new PolicyError('POLICY_NOT_FOUND', `expected ${kind} policy '${name}' to be there, got none`);
  }
  const { module: bytes, rules, sourceSha384: sha384 } = version;
  const id = createHash('sha256').update(bytes).digest('hex');
  return { ref: { name, sha384 }, rules, module: { id, name, bytes } };
}
