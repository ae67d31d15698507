import type { Command } from 'commander';
import { z } from 'zod';
import { toBase64 } from '../../server/bytes/encoding.ts';
import type { Config } from '../config/config-schema.ts';
import { type AgentAccess, addSocketFlag, withAgent } from './agent-access.ts';
import { writePrivateFile } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { addConfigFlags, configFrom } from './config-flags.ts';
import { print, printWritten } from './invocation.ts';

const EXAMPLES = `
Examples:
  $ verigo-agent resource kbs:///default/disk/passphrase --out passphrase
  $ verigo-agent resource default/disk/passphrase
  $ verigo-agent resource kbs+plugin://kbs.example:8443/path?name=value --json`;

const flagsSchema = z.object({ out: z.string().optional() });

/** `resource`. */
export function addResourceCommand(program: Command, io: CommandIo): void {
  const command = program
    .command('resource')
    .description('fetch a resource of a key broker and open it')
    .argument('<uri>', 'kbs[+plugin]://[host[:port]]/repository/type/tag, or repository/type/tag')
    .option('--out <file>', 'write it there, for its owner alone')
    .addHelpText('after', EXAMPLES);
  addSocketFlag(addConfigFlags(command)).action(async (uri: string, _flags: unknown, self: Command) => {
    const flags: unknown = self.optsWithGlobals();
    const config = await configFrom(flags, io);
    const content = await withAgent(flags, io, async (agent) => await fetch(uri, { agent, config, io }));
    const { out } = flagsSchema.parse(flags);
    if (out === undefined) print(io, flags, { json: { uri, content: toBase64(content) }, text: content });
    else {
      await writePrivateFile(io, out, content);
      printWritten(io, flags, out);
    }
  });
}

async function fetch(
  text: string,
  { agent, config, io }: { readonly agent: AgentAccess; readonly config: Config; readonly io: CommandIo },
): Promise<Uint8Array> {
  const { readFile } = await import('node:fs/promises');
  const { configuredServers } = await import('../attestation-agent/configured-servers.ts');
  const { createGetResource } = await import('../kbs-client/resource-servers.ts');
  const { parseResourceUri, resourceUriOfPath } = await import('../resource-uri.ts');
  const uri = text.includes('://') ? parseResourceUri(text) : resourceUriOfPath(text);
  const { resourceServers, attempts } = configuredServers(config, {
    userAgent: `verigo-aa/${io.version}`,
    readText: async (path) => await readFile(path, 'utf8'),
  });
  const entry = resourceServers.get(uri.host);
  const servers =
    entry === undefined
      ? new Map<string, never>()
      : new Map([[uri.host, { ...entry, obtain: await agent.obtainFor(uri.host, config) }]]);
  return await createGetResource(servers, { attempts })(uri);
}
