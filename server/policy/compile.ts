import { sha384 } from '../bytes/byte-strings.ts';
import { toHex, toUtf8 } from '../bytes/encoding.ts';
import { type Capabilities, capabilitiesFor } from './capabilities.ts';
import { REFERENCE_NAMES_ENTRYPOINT, VERDICT_ENTRYPOINT } from './entrypoints.ts';
import type { FindOpa } from './find-opa.ts';
import { CAPABILITIES_FILE, type Complaint, describe, refusal, type Workspace } from './opa.ts';
import { PolicyError, type PolicyKind, type PolicyRule } from './policy.ts';
import { type RegoModule, readRegoModule } from './rego-module.ts';

const DEFAULT_MAX_SOURCE_BYTES = 256 * 1024;
const POLICY_FILE = 'policy.rego';
const ENTRY_FILE = 'verigo.rego';

/** The rules that each kind may define; the first one it must. */
const CONTRACT: Readonly<Record<PolicyKind, readonly [PolicyRule, ...PolicyRule[]]>> = {
  attestation: ['trust_claims', 'extensions'],
  resource: ['allow'],
};

/**
 * `strict`: what the policy's contract asks for must be there, and nothing that OPA's strict mode complains about.
 * `upstream`: whatever compiles is taken, as Confidential Containers' services do, and the rest are warnings.
 */
export type CompileMode = 'strict' | 'upstream';

export interface PolicySource {
  readonly kind: PolicyKind;
  readonly name: string;
  readonly source: string;
  readonly mode: CompileMode;
}

export interface CompiledPolicy {
  /** WebAssembly, with `verigo/verdict` as its entrypoint. */
  readonly module: Uint8Array;
  /** The rules of the contract that the policy defines. */
  readonly rules: readonly PolicyRule[];
  readonly sourceSha384: string;
  /** E.g. `opa 1.22.2`. */
  readonly compiler: string;
  readonly warnings: readonly string[];
}

/**
 * Rego to WebAssembly. Throws PolicyError: POLICY_TOO_LARGE, POLICY_DOES_NOT_COMPILE, POLICY_LACKS_CONTRACT,
 * POLICY_COMPILER_UNAVAILABLE.
 */
export type CompilePolicy = (policy: PolicySource) => Promise<CompiledPolicy>;

export interface PolicyCompilerOptions {
  readonly findOpa: FindOpa;
  /** The built-ins that policies may use. */
  readonly capabilities: Capabilities;
  readonly maxSourceBytes?: number;
}

export function createPolicyCompiler(options: PolicyCompilerOptions): CompilePolicy {
  const { findOpa, capabilities, maxSourceBytes = DEFAULT_MAX_SOURCE_BYTES } = options;
  return async (policy) => {
    const source = checkSize(policy, maxSourceBytes);
    const opa = await findOpa();
    const files = {
      [POLICY_FILE]: policy.source,
      [CAPABILITIES_FILE]: JSON.stringify(capabilitiesFor(capabilities, policy.kind)),
    };
    const compiled = await opa.withFiles(files, async (workspace) => await compile(workspace, policy));
    return { ...compiled, sourceSha384: toHex(sha384(source)), compiler: `opa ${opa.version}` };
  };
}

async function compile(
  workspace: Workspace,
  policy: PolicySource,
): Promise<Pick<CompiledPolicy, 'module' | 'rules' | 'warnings'>> {
  const module = readRegoModule(await workspace.parse(POLICY_FILE));
  if (module.package[0] === 'verigo') {
    throw refusal([{ line: undefined, message: "the package name 'verigo' is taken" }]);
  }
  const styleWarnings = await checkRego(workspace, policy.mode);
  const contractWarnings = checkContract(module, policy);
  const rules = definedRules(module, policy.kind);
  const referenceNames = policy.kind === 'attestation' ? module.referenceNames : [];
  await workspace.write(ENTRY_FILE, entryModule(rules, referenceNames));
  const entrypoints = [
    VERDICT_ENTRYPOINT,
    ...(referenceNames.length > 0 ? [REFERENCE_NAMES_ENTRYPOINT] : []),
  ];
  return {
    module: await workspace.build([POLICY_FILE, ENTRY_FILE], entrypoints),
    rules,
    warnings: [...styleWarnings.map(describe), ...contractWarnings],
  };
}

function checkSize({ source }: PolicySource, maxBytes: number): Uint8Array {
  const bytes = toUtf8(source);
  if (bytes.byteLength > maxBytes) {
    throw new PolicyError(
      'POLICY_TOO_LARGE',
      `expected a policy of at most ${maxBytes} bytes, got ${bytes.byteLength}`,
    );
  }
  return bytes;
}

/** Throws when the policy does not compile; what only OPA's strict mode complains about is returned in `upstream` mode. */
async function checkRego(workspace: Workspace, mode: CompileMode): Promise<readonly Complaint[]> {
  const complaints = await workspace.check([POLICY_FILE], { strict: true });
  if (complaints.length === 0) return [];
  if (mode === 'strict') throw refusal(complaints);
  const errors = await workspace.check([POLICY_FILE], { strict: false });
  if (errors.length > 0) throw refusal(errors);
  return complaints;
}

function checkContract(module: RegoModule, { kind, mode }: PolicySource): readonly string[] {
  const [required] = CONTRACT[kind];
  const lacks: string[] = [];
  if (!definedRules(module, kind).includes(required)) {
    lacks.push(
      `expected package policy with a rule '${required}', got package ${module.package.join('.')} with ${[...module.rules].sort().slice(0, 20).join(', ')}`,
    );
  }
  if (kind === 'attestation' && module.readsReferenceByComputedName) {
    lacks.push(
      'expected the names after data.reference written out, got one that is computed: it finds nothing; use query_reference_value',
    );
  }
  if (mode === 'strict' && lacks.length > 0) throw new PolicyError('POLICY_LACKS_CONTRACT', lacks.join('; '));
  return lacks;
}

function definedRules(module: RegoModule, kind: PolicyKind): readonly PolicyRule[] {
  if (module.package.length !== 1 || module.package[0] !== 'policy') return [];
  return CONTRACT[kind].filter((rule) => module.rules.has(rule));
}

/**
 * Gathers what is asked of the policy in one document, so that one evaluation answers it. A rule that exists but is
 * undefined for the input is absent from the document; one that does not exist is not in `rules` either.
 */
function entryModule(rules: readonly PolicyRule[], referenceNames: readonly string[]): string {
  const verdict =
    rules.length === 0
      ? ['verdict := {}']
      : rules.map((rule) => `verdict[${JSON.stringify(rule)}] := data.policy.${rule}`);
  const names = referenceNames.length > 0 ? [`reference_names := ${JSON.stringify(referenceNames)}`] : [];
  return ['package verigo', ...verdict, ...names, ''].join('\n\n');
}
