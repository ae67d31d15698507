import type { Command } from 'commander';
import { z } from 'zod';
import { toBase64 } from '../bytes/encoding.ts';
import { CommandError } from './command-error.ts';
import { readInput, readTextInput } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation, type Invocation } from './invocation.ts';
import { attestSampleSession, fetchResource, resourcePath } from './resource-exchange.ts';
import { createTeeKey, parseTeeKey } from './tee-key.ts';

const getOptionsSchema = z.object({
  token: z.string().optional(),
  key: z.string().optional(),
  sample: z.boolean().default(false),
});
type GetOptions = z.output<typeof getOptionsSchema>;
const EXAMPLES = {
  get: `
Examples:
  $ verigo resource get default/keys/disk --token token.jwt --key tee.key > disk.key
  $ verigo resource get default/keys/disk --sample`,
  put: `
Examples:
  $ verigo resource put default/keys/disk disk.key
  $ openssl rand 32 | verigo resource put default/keys/disk -`,
  delete: '\nExamples:\n  $ verigo resource delete default/keys/disk',
} as const;

/** `resource get`, `put`, `delete`. */
export function addResourceCommands(program: Command, io: CommandIo): void {
  const group = program.command('resource').description('secrets, and whatever else the key broker releases');
  addGet(group, io);
  group
    .command('put <path> <file>')
    .description('store a resource; - reads standard input')
    .addHelpText('after', EXAMPLES.put)
    .action(async (resource: string, file: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const path = resourcePath(resource);
      const body = { type: 'application/octet-stream', bytes: await readInput(io, file) };
      await invocation.api().send({ method: 'POST', path, body, token: await invocation.adminToken() });
      invocation.print({
        json: { resource, stored: true, bytes: body.bytes.byteLength },
        text: `resource ${resource} is stored, ${body.bytes.byteLength} bytes\n`,
      });
    });
  group
    .command('delete <path>')
    .description('delete a resource')
    .addHelpText('after', EXAMPLES.delete)
    .action(async (resource: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const path = resourcePath(resource);
      await invocation.api().send({ method: 'DELETE', path, token: await invocation.adminToken() });
      invocation.print({ json: { resource, deleted: true }, text: `resource ${resource} is deleted\n` });
    });
}

function addGet(group: Command, io: CommandIo): void {
  group
    .command('get <path>')
    .description('get a resource, open it, and print it as it is (with --json: in base64)')
    .option('--token <file>', 'the token that opens it')
    .option('--key <file>', 'the private key that the token is bound to, as JWK or PEM')
    .option('--sample', 'attest with sample evidence first, in a session of the key broker')
    .addHelpText('after', EXAMPLES.get)
    .action(async (resource: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const options = getOptionsSchema.parse(command.opts());
      const secret = await getResource(invocation, resourcePath(resource), options);
      if (invocation.json) invocation.print({ json: { resource, content: toBase64(secret) }, text: '' });
      else io.writeStdout(secret);
    });
}

async function getResource(invocation: Invocation, path: string, options: GetOptions): Promise<Uint8Array> {
  const api = invocation.api();
  const { token, key, sample } = options;
  if (sample && token === undefined && key === undefined) {
    const teeKey = createTeeKey();
    const cookie = await attestSampleSession(api, teeKey);
    return await fetchResource(api, path, { headers: { cookie } }, teeKey.privateKey);
  }
  if (sample || token === undefined || key === undefined) {
    throw new CommandError('USAGE', 'expected --sample, or both --token and --key');
  }
  const privateKey = parseTeeKey(await readTextInput(invocation.io, key));
  const bearer = (await readTextInput(invocation.io, token)).trim();
  return await fetchResource(api, path, { token: bearer }, privateKey);
}
