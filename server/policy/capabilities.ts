import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HOST_BUILTIN_NAMES } from './builtins/host-builtins.ts';
import type { PolicyKind } from './policy.ts';

/** The built-ins, keywords and features of Rego that a policy may use, in the form of `opa capabilities`. */
export type Capabilities = z.infer<typeof capabilitiesSchema>;

const capabilitiesSchema = z.object({
  builtins: z.array(z.looseObject({ name: z.string(), decl: z.looseObject({}) })),
  future_keywords: z.array(z.string()).optional(),
  features: z.array(z.string()).optional(),
});

/** Asks for a reference value; the one built-in that is ours. Null when there is none. */
const QUERY_REFERENCE_VALUE = {
  name: 'query_reference_value',
  decl: { type: 'function', args: [{ type: 'string' }], result: { type: 'any' } },
  nondeterministic: true,
};

/** Built-ins for which `opa build --target wasm` emits code of its own, without the deprecated ones. */
export const NATIVE_BUILTINS: ReadonlySet<string> = new Set(
  `abs and array.concat array.flatten array.reverse array.slice assign base64.decode base64.encode base64.is_valid
   base64url.decode base64url.encode bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor ceil concat contains
   count div endswith eq equal floor format_int glob.match graph.reachable gt gte indexof internal.member_2
   internal.member_3 internal.template_string intersection is_array is_boolean is_null is_number is_object is_set
   is_string json.filter json.is_valid json.marshal json.remove json.unmarshal lower lt lte max min minus mul
   neq net.cidr_contains net.cidr_intersects numbers.range object.filter object.get object.keys object.remove
   object.union object.union_n or plus product regex.find_all_string_submatch_n regex.is_valid regex.match rem
   replace round sort split startswith strings.replace_n strings.reverse substring sum to_number trim trim_left
   trim_prefix trim_right trim_space trim_suffix type_name union upper walk`
    .split(/\s+/)
    .filter((name) => name !== ''),
);

/** `print` is checked and then compiles to nothing; `sprintf` is the WebAssembly kit's own, right for strings, numbers and booleans. */
const FROM_THE_KIT: ReadonlySet<string> = new Set(['internal.print', 'print', 'sprintf']);

const FEATURES: ReadonlySet<string> = new Set(['keywords_in_refs', 'rego_v1', 'template_strings']);

/**
 * What is left of OPA's own capabilities when only that counts which our runtime carries out, with
 * query_reference_value added. `policies/capabilities.json` holds the result.
 */
export function selectCapabilities(ofOpa: unknown): Capabilities {
  const { builtins, features } = capabilitiesSchema.parse(ofOpa);
  const selected = builtins.filter(
    ({ name }) => NATIVE_BUILTINS.has(name) || FROM_THE_KIT.has(name) || HOST_BUILTIN_NAMES.has(name),
  );
  return {
    builtins: [...selected.map(withoutProse).map(inUtcOnly), QUERY_REFERENCE_VALUE],
    future_keywords: [],
    features: features?.filter((feature) => FEATURES.has(feature)) ?? [],
  };
}

/** Reads `policies/capabilities.json`. */
export async function readCapabilities(path: string): Promise<Capabilities> {
  return capabilitiesSchema.parse(JSON.parse(await readFile(path, 'utf8')));
}

/** Reference values are the attestation policy's: a resource policy that asks for one does not compile. */
export function capabilitiesFor(capabilities: Capabilities, kind: PolicyKind): Capabilities {
  if (kind === 'attestation') return capabilities;
  const builtins = capabilities.builtins.filter(({ name }) => name !== QUERY_REFERENCE_VALUE.name);
  return { ...capabilities, builtins };
}

/** Where OPA takes nanoseconds or `[nanoseconds, zone, …]`, ours take nanoseconds, so that a zone does not type-check. */
function inUtcOnly(builtin: Capabilities['builtins'][number]): Capabilities['builtins'][number] {
  const { decl, name } = builtin;
  if (!name.startsWith('time.') || !Array.isArray(decl['args'])) return builtin;
  const args = decl['args'].map((arg: unknown) =>
    anyTypeSchema.safeParse(arg).success ? { type: 'number' } : arg,
  );
  return { ...builtin, decl: { ...decl, args } };
}

const anyTypeSchema = z.object({ type: z.literal('any') });

/** The declaration without descriptions, at any depth. */
function withoutProse(builtin: Capabilities['builtins'][number]): Capabilities['builtins'][number] {
  const kept = JSON.stringify(builtin, (key, value: unknown) =>
    key === 'description' || key === 'categories' ? undefined : value,
  );
  return capabilitiesSchema.shape.builtins.element.parse(JSON.parse(kept));
}
