import type { Command } from 'commander';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { parseJson } from '../json/strict-json.ts';
import { createApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { parseInput, readTextInput } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation, type Invocation } from './invocation.ts';
import { jwksSchema, verifyToken } from './token-verification.ts';
import { describeToken } from './trust-words.ts';

const optionsSchema = z.object({ jwks: z.string().optional() });
const EXAMPLES = `
Examples:
  $ verigo token verify token.jwt
  $ verigo token verify token.jwt --jwks https://attestation.example.com/.well-known/jwks.json
  $ verigo attest --sample --json | jq -r .token | verigo token verify - --jwks jwks.json --json`;

/** `token verify`. */
export function addTokenCommands(program: Command, io: CommandIo): void {
  const group = program.command('token').description('attestation tokens');
  group
    .command('verify <file>')
    .description(
      'check the signature and the times of a token, then show what it says; - reads standard input',
    )
    .option('--jwks <url or file>', 'the keys to believe (default: those of --server)')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { jwks } = optionsSchema.parse(command.opts());
      const token = (await readTextInput(io, file)).trim();
      const at = io.clock();
      const claims = await verifyToken(token, await findKeys(invocation, jwks), at);
      invocation.print({ json: claims, text: describeToken(claims, at) });
    });
}

async function findKeys(invocation: Invocation, named: string | undefined): Promise<JSONWebKeySet> {
  if (named !== undefined && !/^https?:\/\//.test(named)) {
    const document = parseInput(await readTextInput(invocation.io, named), 'with a key set', parseJson);
    const parsed = jwksSchema.safeParse(document);
    if (parsed.success) return parsed.data;
    throw new CommandError('INPUT_INVALID', 'expected a JWK set with at least one key, got something else');
  }
  const url = new URL(named ?? '/.well-known/jwks.json', invocation.server());
  const path = `${url.pathname}${url.search}`;
  return await createApiClient(url.origin).json({ method: 'GET', path }, jwksSchema);
}
