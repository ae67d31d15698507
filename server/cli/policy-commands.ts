import { type Command, Option } from 'commander';
import { z } from 'zod';
import { jsonBody, segment } from './api-client.ts';
import { jsonSchema, pageSchema } from './api-documents.ts';
import { CommandError } from './command-error.ts';
import { readTextInput } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation } from './invocation.ts';
import { cell, table } from './printing.ts';

const kindSchema = z.object({ kind: z.enum(['attestation', 'resource']) });
const policySchema = z.object({ policy: z.string() }).catchall(jsonSchema);
const EXAMPLES = {
  set: `
Examples:
  $ verigo policy set default_cpu policies/attestation/default_cpu/default_cpu.rego
  $ verigo policy set --kind resource default policies/resource/default/default.rego`,
  get: `
Examples:
  $ verigo policy get default_cpu > default_cpu.rego
  $ verigo policy get --kind resource default --json`,
  list: `
Examples:
  $ verigo policy list`,
  test: `
Examples:
  $ verigo policy test
  $ verigo policy test policies/attestation`,
} as const;

function kindOption(): Option {
  return new Option('--kind <kind>', 'which policies')
    .choices(['attestation', 'resource'])
    .default('attestation');
}

function pathOf(command: Command, name: string): string {
  const { kind } = kindSchema.parse(command.opts());
  return `/api/v1/policies/${kind}/${segment(name)}`;
}

/** `policy set`, `get`, `list`, `test`. */
export function addPolicyCommands(program: Command, io: CommandIo): void {
  const policy = program.command('policy').description('publish, read and test policies');
  policy
    .command('set <name> <file>')
    .description('compile a Rego file and put it in force; - reads standard input')
    .addOption(kindOption())
    .addHelpText('after', EXAMPLES.set)
    .action(async (name: string, file: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const path = pathOf(command, name);
      const body = jsonBody({ policy: await readTextInput(io, file) });
      await invocation.api().send({ method: 'PUT', path, body, token: await invocation.adminToken() });
      invocation.print({ json: { name, stored: true }, text: `policy ${name} is in force\n` });
    });
  policy
    .command('get <name>')
    .description('print the Rego source of a policy')
    .addOption(kindOption())
    .addHelpText('after', EXAMPLES.get)
    .action(async (name: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const path = pathOf(command, name);
      const token = await invocation.adminToken();
      const found = await invocation.api().json({ method: 'GET', path, token }, policySchema);
      invocation.print({ json: found, text: found.policy });
    });
  addPolicyList(policy, io);
  addPolicyTest(policy, io);
}

function addPolicyList(policy: Command, io: CommandIo): void {
  policy
    .command('list')
    .description('list the policies in force')
    .addHelpText('after', EXAMPLES.list)
    .action(async (_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      const { items } = await invocation
        .api()
        .json({ method: 'GET', path: '/api/v1/policies', token }, pageSchema);
      const rows = items.map((item) => [
        cell(item['kind']),
        cell(item['name']),
        cell(item['sha384'], 16),
        cell(item['author']),
        cell(item['updated_at']),
      ]);
      invocation.print({
        json: { items },
        text: table(['KIND', 'NAME', 'SHA-384', 'AUTHOR', 'SINCE'], rows),
      });
    });
}

function addPolicyTest(policy: Command, io: CommandIo): void {
  policy
    .command('test [folder]')
    .description('run the Rego tests below a folder (default: policies)')
    .addHelpText('after', EXAMPLES.test)
    .action(async (folder: string | undefined, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { passed, output } = await io.services.testPolicies(invocation.config(), folder ?? 'policies');
      invocation.print({ json: { passed, output }, text: output });
      if (!passed) throw new CommandError('POLICY_TESTS_FAILED', 'expected every test to pass, not all did');
    });
}
