import type { Command } from 'commander';
import { z } from 'zod';
import { fromUtf8 } from '../bytes/encoding.ts';
import type { Json, JsonObject } from '../claims/claims.ts';
import { CodedError } from '../errors/coded-error.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';
import { CommandError } from './command-error.ts';
import { parseInput, readInput } from './command-files.ts';
import type { CommandIo, EvidenceFile } from './command-io.ts';
import { createInvocation } from './invocation.ts';
import { cell, table } from './printing.ts';

const OPEN_BRACE = 0x7b;
const MAX_SHOWN = 200;
const optionsSchema = z.object({ tee: z.string().optional() });
const EXAMPLES = `
Examples:
  $ verigo evidence inspect evidence.json
  $ verigo evidence inspect report.bin --tee snp --json`;

/** `evidence inspect`. */
export function addEvidenceCommands(program: Command, io: CommandIo): void {
  const tees = Object.keys(io.services.inspectors).join(', ');
  const group = program.command('evidence').description('evidence of TEEs');
  group
    .command('inspect <file>')
    .description('show what evidence says, without judging whether it is genuine; - reads standard input')
    .option('--tee <tee>', `what it is: ${tees} (default: whatever it can be read as)`)
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, _options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { tee: named } = optionsSchema.parse(command.opts());
      const { tee, claims } = inspect(io, evidenceOf(await readInput(io, file)), named);
      const rows = leavesOf(claims).map(([name, value]) => [name, cell(value, MAX_SHOWN)]);
      invocation.note('note: nothing of this has been verified');
      invocation.print({ json: { tee, verified: false, claims }, text: table(['TEE', tee], rows) });
    });
}

/** JSON evidence is an object; anything else is a TEE's own format. */
function evidenceOf(bytes: Uint8Array): EvidenceFile {
  const first = bytes.find((byte) => byte > 0x20);
  if (first !== OPEN_BRACE) return { form: 'bytes', bytes };
  const parse = (text: string): unknown => parseJsonWithBigInts(text);
  return { form: 'json', document: parseInput(fromUtf8(bytes), 'as evidence', parse) };
}

/** One line a value: members of members by dotted names, lists of objects by their places. */
function leavesOf(claims: JsonObject, path = ''): readonly (readonly [name: string, value: Json])[] {
  return Object.entries(claims).flatMap(([name, value]) => {
    const isBranch = isObject(value) && Object.keys(value).length > 0;
    const isListOfObjects = Array.isArray(value) && value.length > 0 && value.every(isObject);
    return isBranch || isListOfObjects
      ? leavesOf(value as JsonObject, `${path}${name}.`)
      : [[`${path}${name}`, value] as const];
  });
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inspect(
  io: CommandIo,
  evidence: EvidenceFile,
  named: string | undefined,
): { readonly tee: string; readonly claims: JsonObject } {
  const inspectors = Object.entries(io.services.inspectors);
  const tried = named === undefined ? inspectors : inspectors.filter(([tee]) => tee === named);
  if (tried.length === 0) {
    const known = inspectors.map(([tee]) => tee).join(', ');
    throw new CommandError('USAGE', `expected --tee to be one of ${known}, got another`);
  }
  const reasons: string[] = [];
  for (const [tee, inspectEvidence] of tried) {
    try {
      return { tee, claims: inspectEvidence(evidence) };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      reasons.push(`${tee}: ${error.message}`);
    }
  }
  throw new CommandError(
    'INPUT_INVALID',
    `expected evidence that can be read, got none\n${reasons.join('\n')}`,
  );
}
