import type { Command } from 'commander';
import { z } from 'zod';
import { fromBase64 } from '../../server/bytes/encoding.ts';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { jsonText } from '../../server/json/json-text.ts';
import { parseJsonWithBigInts } from '../../server/json/strict-json.ts';
import { addSocketFlag, withAgent } from './agent-access.ts';
import { CommandError } from './command-error.ts';
import { readInput, writePrivateFile } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { addConfigFlags } from './config-flags.ts';
import { printWritten, requireOneOf } from './invocation.ts';

const EXAMPLES = `
Examples:
  $ verigo-agent evidence --runtime-data "$(openssl rand -base64 32)"
  $ verigo-agent evidence --runtime-data-file digest.bin --out evidence.json
  $ verigo-agent evidence --additional`;

const flagsSchema = z.object({
  runtimeData: z.string().optional(),
  runtimeDataFile: z.string().optional(),
  additional: z.boolean().default(false),
  out: z.string().optional(),
});

/** `evidence`. Its result is JSON, with `--json` and without. */
export function addEvidenceCommand(program: Command, io: CommandIo): void {
  const command = program
    .command('evidence')
    .description('print evidence of the TEE as JSON, for bytes that it is to be bound to')
    .option('-r, --runtime-data <base64>', 'the bytes, up to 64 for most TEEs (default: none)')
    .option('--runtime-data-file <file>', 'the bytes, from a file')
    .option('--additional', 'evidence of the devices in place of the TEE’s')
    .option('--out <file>', 'write it there')
    .addHelpText('after', EXAMPLES);
  addSocketFlag(addConfigFlags(command)).action(async (_flags: unknown, self: Command) => {
    const flags: unknown = self.optsWithGlobals();
    const { additional, out, ...data } = flagsSchema.parse(flags);
    const runtimeData = await runtimeDataOf(data, io);
    const text = await withAgent(flags, io, async (agent) =>
      additional ? await agent.additionalEvidence(runtimeData) : await agent.evidence(runtimeData),
    );
    const document = text === '' ? '{}' : jsonText(parseJsonWithBigInts(text));
    if (out === undefined) io.writeStdout(`${document}\n`);
    else {
      await writePrivateFile(io, out, document);
      printWritten(io, flags, out);
    }
  });
}

async function runtimeDataOf(
  {
    runtimeData: text,
    runtimeDataFile: file,
  }: Pick<z.output<typeof flagsSchema>, 'runtimeData' | 'runtimeDataFile'>,
  io: CommandIo,
): Promise<Uint8Array> {
  requireOneOf({ '--runtime-data': text, '--runtime-data-file': file });
  if (file !== undefined) return await readInput(io, file);
  try {
    return fromBase64(text ?? '');
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new CommandError('USAGE', 'expected --runtime-data in base64, got other text', { cause });
  }
}
