import { basename } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { fromUtf8, toBase64 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { jsonBody } from './api-client.ts';
import { jsonSchema, pageSchema } from './api-documents.ts';
import { parseInput, readInput, writePrivateFile } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation } from './invocation.ts';
import { cell, printableJson, table } from './printing.ts';

const BASE = '/api/v1/collateral';
/** Characters of base64 in one request: half of the body limit that servers have by default. */
const BATCH_LENGTH = 1 << 20;
const MAX_BUNDLE_BYTES = 256 << 20;
const OPEN_BRACE = 0x7b;

const itemSchema = z.object({ body: z.string() }).catchall(jsonSchema);
const bundleSchema = z.object({ items: z.array(itemSchema) }).catchall(jsonSchema);
const EXAMPLES = {
  import: `
Examples:
  $ verigo collateral import vcek.der milan-crl.der
  $ verigo collateral import tcb-info.json qe-identity.json pck-crl.der root-crl.der tcb-signing-chain.pem
  $ verigo collateral import collateral.json`,
  export: '\nExamples:\n  $ verigo collateral export collateral.json',
  list: '\nExamples:\n  $ verigo collateral list',
} as const;

/** `collateral import`, `export`, `list`. */
export function addCollateralCommands(program: Command, io: CommandIo): void {
  const group = program
    .command('collateral')
    .description('what vendors sign, for sites that cannot reach them');
  addImport(group, io);
  group
    .command('export [file]')
    .description('write everything that is stored as one bundle; without a file, to standard output')
    .addHelpText('after', EXAMPLES.export)
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      const request = {
        method: 'GET',
        path: `${BASE}/export`,
        token,
        maxReplyBytes: MAX_BUNDLE_BYTES,
      } as const;
      const bundle = await invocation.api().json(request, bundleSchema);
      const text = `${printableJson(bundle)}\n`;
      if (file === undefined) {
        io.writeStdout(text);
        return;
      }
      writePrivateFile(io, file, text);
      const count = bundle.items.length;
      invocation.print({ json: { exported: count }, text: `${count} items are in ${file}\n` });
    });
  group
    .command('list')
    .description('list what is stored, and until when it is valid')
    .addHelpText('after', EXAMPLES.list)
    .action(async (_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const token = await invocation.adminToken();
      const { items } = await invocation.api().json({ method: 'GET', path: BASE, token }, pageSchema);
      const rows = items.map((item) => [
        cell(item['kind']),
        cell(item['key'], 80),
        cell(item['expires_at']),
        cell(item['source']),
      ]);
      invocation.print({ json: { items }, text: table(['KIND', 'KEY', 'EXPIRES', 'SOURCE'], rows) });
    });
}

function addImport(group: Command, io: CommandIo): void {
  group
    .command('import <files...>')
    .description(
      'store what vendors sign: certificates, revocation lists, TCB info, identities, or bundles of an export',
    )
    .addHelpText('after', EXAMPLES.import)
    .action(async (files: readonly string[], _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const read = await Promise.all(files.map((file) => itemsOf(io, file)));
      const items = read.flat();
      const token = await invocation.adminToken();
      const imported: JsonObject[] = [];
      for (const batch of batchesOf(items)) {
        const request = {
          method: 'POST',
          path: `${BASE}/import`,
          body: jsonBody({ items: batch }),
          token,
        } as const;
        imported.push(...(await invocation.api().json(request, pageSchema)).items);
      }
      const rows = imported.map((item) => [cell(item['kind']), cell(item['key'], 80)]);
      invocation.print({ json: { items: imported }, text: table(['IMPORTED AS', 'KEY'], rows) });
    });
}

async function itemsOf(io: CommandIo, file: string): Promise<readonly JsonObject[]> {
  const bytes = await readInput(io, file);
  const asItIs = [{ body: toBase64(bytes), name: basename(file) }];
  if (bytes.find((byte) => byte > 0x20) !== OPEN_BRACE) return asItIs;
  // Other JSON is a vendor's: the server tells what.
  const parsed = bundleSchema.safeParse(parseInput(fromUtf8(bytes), 'as a bundle'));
  return parsed.success ? parsed.data.items : asItIs;
}

function batchesOf(items: readonly JsonObject[]): readonly (readonly JsonObject[])[] {
  const batches: JsonObject[][] = [];
  let room = 0;
  for (const item of items) {
    const length = JSON.stringify(item).length;
    if (batches.length === 0 || length > room) {
      batches.push([]);
      room = BATCH_LENGTH;
    }
    batches.at(-1)?.push(item);
    room -= length;
  }
  return batches;
}
