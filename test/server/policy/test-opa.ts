import { fileURLToPath } from 'node:url';
import { readCapabilities } from '../../../server/policy/capabilities.ts';
import { type CompilePolicy, createPolicyCompiler } from '../../../server/policy/compile.ts';
import { createOpaFinder, type FindOpa } from '../../../server/policy/find-opa.ts';

/** The project's own built-ins for policies. */
export const CAPABILITIES = fileURLToPath(new URL('../../../policies/capabilities.json', import.meta.url));

/** OPA as this machine has it: VERIGO_OPA, on the PATH, or built once into the user's cache folder. */
export const findTestOpa: FindOpa = createOpaFinder({
  configuredPath: process.env['VERIGO_OPA'],
  environment: process.env,
  onProgress: (line) => {
    console.log(line);
  },
});

/** The compiler with the project's own built-ins. */
export async function testCompiler(): Promise<CompilePolicy> {
  return createPolicyCompiler({ findOpa: findTestOpa, capabilities: await readCapabilities(CAPABILITIES) });
}
