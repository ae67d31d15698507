import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { selectCapabilities } from '../../server/policy/capabilities.ts';

/** Writes policies/capabilities.json: `node test/policies/write-capabilities.ts PATH-OF-OPA`. */
const [, , opa = 'opa'] = process.argv;
const { stdout } = await promisify(execFile)(opa, ['capabilities', '--current'], { env: {} });
const capabilities = selectCapabilities(JSON.parse(stdout));
const target = new URL('../../policies/capabilities.json', import.meta.url);
await writeFile(target, `${JSON.stringify(capabilities, null, 2)}\n`);
