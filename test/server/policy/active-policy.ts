import { createHash } from 'node:crypto';
import type { CompilePolicy, PolicySource } from '../../../server/policy/compile.ts';
import type { PolicyStore } from '../../../server/policy/policy-store.ts';

/** A store in which exactly this policy is in force. */
export async function activePolicy(
  compile: CompilePolicy,
  source: PolicySource,
): Promise<Pick<PolicyStore, 'active'>> {
  const { module: bytes, rules, sourceSha384: sha384 } = await compile(source);
  const { name } = source;
  const id = createHash('sha256').update(bytes).digest('hex');
  return {
    active: async () => await Promise.resolve({ ref: { name, sha384 }, rules, module: { id, name, bytes } }),
  };
}
