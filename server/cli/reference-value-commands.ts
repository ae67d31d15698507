import type { Command } from 'commander';
import { z } from 'zod';
import { toUtf8 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { type ApiClient, type ApiRequest, segment } from './api-client.ts';
import { jsonSchema, pageSchema } from './api-documents.ts';
import { CommandError } from './command-error.ts';
import { parseInput } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { parseExpiry } from './expiry.ts';
import { createInvocation } from './invocation.ts';
import { cell, printableJson, table } from './printing.ts';

const BASE = '/api/v1/reference-values';
/** Far more than a site has; ends a list whose server never does. */
const MAX_PAGES = 10_000;

const setOptionsSchema = z.object({ expires: z.string().optional() });
const valueSchema = z.object({ value: jsonSchema }).catchall(jsonSchema);
const EXAMPLES = {
  set: `
Examples:
  $ verigo reference-value set snp_launch_measurement '["6b86…"]' --expires 90d
  $ verigo reference-value set svn '"1"' --expires 2027-06-30`,
  get: '\nExamples:\n  $ verigo reference-value get svn',
  list: '\nExamples:\n  $ verigo reference-value list',
  delete: '\nExamples:\n  $ verigo reference-value delete svn',
} as const;

/** `reference-value set`, `get`, `list`, `delete`. */
export function addReferenceValueCommands(program: Command, io: CommandIo): void {
  const group = program.command('reference-value').description('what policies compare claims with');
  addSet(group, io);
  group
    .command('get <name>')
    .description('print one reference value as JSON')
    .addHelpText('after', EXAMPLES.get)
    .action(async (name: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      const path = `${BASE}/${segment(name)}`;
      const found = await invocation.api().json({ method: 'GET', path, token }, valueSchema);
      invocation.print({ json: found, text: `${printableJson(found.value)}\n` });
    });
  group
    .command('list')
    .description('list every reference value')
    .addHelpText('after', EXAMPLES.list)
    .action(async (_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const items = await everyPage(invocation.api(), await invocation.adminToken());
      const rows = items.map((item) => [cell(item['name']), cell(item['value']), cell(item['expires_at'])]);
      invocation.print({ json: { items }, text: table(['NAME', 'VALUE', 'EXPIRES'], rows) });
    });
  group
    .command('delete <name>')
    .description('delete one reference value')
    .addHelpText('after', EXAMPLES.delete)
    .action(async (name: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      await invocation.api().send({ method: 'DELETE', path: `${BASE}/${segment(name)}`, token });
      invocation.print({ json: { name, deleted: true }, text: `reference value ${name} is deleted\n` });
    });
}

function addSet(group: Command, io: CommandIo): void {
  group
    .command('set <name> <json>')
    .description('store a reference value: any JSON, in quotes for the shell')
    .option('--expires <when>', 'a time (2027-06-30, 2027-06-30T12:00:00Z) or a duration (12h, 30d)')
    .addHelpText('after', EXAMPLES.set)
    .action(async (name: string, text: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { expires } = setOptionsSchema.parse(command.opts());
      parseInput(text, 'as the value (a text is written \'"text"\')');
      const expiresAt = expires === undefined ? null : parseExpiry(expires, io.clock()).toISOString();
      await invocation.api().send({
        method: 'PUT',
        path: `${BASE}/${segment(name)}`,
        body: bodyOf(text, expiresAt),
        token: await invocation.adminToken(),
      });
      const until = expiresAt === null ? 'without expiry' : `until ${expiresAt}`;
      invocation.print({
        json: { name, stored: true, expires_at: expiresAt },
        text: `reference value ${name} is stored, ${until}\n`,
      });
    });
}

/** The value goes out as it was typed: reading and writing it again would round long integers. */
function bodyOf(value: string, expiresAt: string | null): NonNullable<ApiRequest['body']> {
  const document = `{"value":${value},"expires_at":${JSON.stringify(expiresAt)}}`;
  return { type: 'application/json', bytes: toUtf8(document) };
}

async function everyPage(api: ApiClient, token: string): Promise<readonly JsonObject[]> {
  const items: JsonObject[] = [];
  let after: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    const found = await api.json({ method: 'GET', path: `${BASE}${query}`, token }, pageSchema);
    items.push(...found.items);
    if (found.next === null || found.next === undefined) return items;
    after = found.next;
  }
  throw new CommandError('SERVER_REPLY_UNEXPECTED', `expected a list that ends, got ${MAX_PAGES} pages`);
}
