import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { segment } from './api-client.ts';
import { jsonObjectSchema, pageSchema } from './api-documents.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation } from './invocation.ts';
import { cell, printable, printableJson, table } from './printing.ts';

const BASE = '/api/v1/decisions';
const MAX_LIMIT = 500;

const listOptionsSchema = z.object({
  limit: z.number(),
  before: z.string().optional(),
  kind: z.string().optional(),
  outcome: z.string().optional(),
});

/** `decision list`, `decision show`. */
export function addDecisionCommands(program: Command, io: CommandIo): void {
  const group = program
    .command('decision')
    .description('the record: what was granted, what was denied, and why');
  addList(group, io);
  group
    .command('show <id>')
    .description('print one decision with everything that explains it')
    .addHelpText('after', '\nExamples:\n  $ verigo decision show 019ab2c4-7c1e-7b59-9d43-0a4c5e6f7081')
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      const path = `${BASE}/${segment(id)}`;
      const decision = await invocation.api().json({ method: 'GET', path, token }, jsonObjectSchema);
      const { detail, ...summary } = decision;
      const rows = Object.entries(summary).map(([name, value]) => [name, cell(value, 200)]);
      invocation.print({
        json: decision,
        text: `${table(['DECISION', ''], rows)}\n${printableJson(detail ?? null)}\n`,
      });
    });
}

function addList(group: Command, io: CommandIo): void {
  group
    .command('list')
    .description('list decisions, the newest first')
    .option('--limit <number>', `how many, at most ${MAX_LIMIT}`, parseLimit, 50)
    .option('--before <id>', 'only those older than this one, to go on with a list')
    .addOption(new Option('--kind <kind>', 'only these').choices(['attestation', 'release', 'admin']))
    .addOption(new Option('--outcome <outcome>', 'only these').choices(['granted', 'denied', 'failed']))
    .addHelpText(
      'after',
      '\nExamples:\n  $ verigo decision list --outcome denied\n  $ verigo decision list --kind release --limit 10 --json',
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { limit, ...filters } = listOptionsSchema.parse(command.opts());
      const query = new URLSearchParams({ limit: String(limit) });
      Object.entries(filters).forEach(([name, value]) => {
        if (value !== undefined) query.set(name, value);
      });
      const token = await invocation.adminToken();
      const path = `${BASE}?${query.toString()}`;
      const { items, next } = await invocation.api().json({ method: 'GET', path, token }, pageSchema);
      const rows = items.map((item) =>
        ['at', 'kind', 'outcome', 'code', 'subject', 'id'].map((name) => cell(item[name])),
      );
      const more = typeof next === 'string' ? `\nOlder ones: --before ${printable(next)}\n` : '';
      invocation.print({
        json: { items, next: next ?? null },
        text: `${table(['AT', 'KIND', 'OUTCOME', 'CODE', 'SUBJECT', 'ID'], rows)}${more}`,
      });
    });
}

function parseLimit(text: string): number {
  const limit = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new InvalidArgumentError(`expected 1 to ${MAX_LIMIT}`);
  return limit;
}
