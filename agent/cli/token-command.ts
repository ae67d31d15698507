import type { Command } from 'commander';
import { z } from 'zod';
import { parseTokenType } from '../attestation-agent/tokens/token-type.ts';
import { addSocketFlag, withAgent } from './agent-access.ts';
import { writePrivateFile } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { addConfigFlags } from './config-flags.ts';
import { print, printWritten } from './invocation.ts';

const HELP = `
Types: kbs[:host] and coco_as_bound[:name] are JSON of the token and the private key that it is bound to;
coco_as[:name] is the token alone.

Examples:
  $ verigo-agent token coco_as
  $ verigo-agent token kbs --out token.json
  $ verigo-agent token coco_as:second --socket 127.0.0.1:50002`;

const flagsSchema = z.object({ out: z.string().optional() });
const boundSchema = z.object({ token: z.string(), tee_keypair: z.string() });

/** `token`. */
export function addTokenCommand(program: Command, io: CommandIo): void {
  const command = program
    .command('token')
    .description('attest this guest and print the token')
    .argument('[type]', 'which token', 'kbs')
    .option('--out <file>', 'write it there, for its owner alone')
    .addHelpText('after', HELP);
  addSocketFlag(addConfigFlags(command)).action(async (type: string, _flags: unknown, self: Command) => {
    const flags: unknown = self.optsWithGlobals();
    const { form } = parseTokenType(type);
    const text = await withAgent(flags, io, async (agent) => await agent.token(type));
    const { out } = flagsSchema.parse(flags);
    if (out === undefined) {
      const json = form === 'bare' ? { token: text } : boundSchema.parse(JSON.parse(text));
      print(io, flags, { json, text: `${text}\n` });
    } else {
      await writePrivateFile(io, out, text);
      printWritten(io, flags, out);
    }
  });
}
