import { createHash } from 'node:crypto';
import { afterEach } from 'vitest';
import {
  createPolicyEngine,
  type PolicyEngine,
  type PolicyEngineSettings,
} from '../../../server/policy/policy-engine.ts';
import type { PolicyModule } from '../../../server/policy/policy-thread.ts';
import { testCompiler } from './test-opa.ts';

/** An attestation policy of these rules, compiled. */
export async function policy(rules: string, name = 'p'): Promise<PolicyModule> {
  const compile = await testCompiler();
  const source = `package policy\n\n${rules}\n`;
  const { module } = await compile({ kind: 'attestation', name, source, mode: 'strict' });
  return { id: createHash('sha256').update(module).digest('hex'), name, bytes: module };
}

const engines: PolicyEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

/** An engine that is closed after the test; without other settings it knows no reference values. */
export function engineWith(settings: Partial<PolicyEngineSettings> = {}): PolicyEngine {
  const engine = createPolicyEngine({
    lookUpReferenceValues: async () => await Promise.resolve(new Map()),
    ...settings,
  });
  engines.push(engine);
  return engine;
}
