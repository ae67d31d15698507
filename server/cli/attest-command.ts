import type { Command } from 'commander';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import { fromHex, toBase64Url } from '../bytes/encoding.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';
import { jsonObjectSchema } from './api-documents.ts';
import { createSampleRequest, requestToken, type VerificationRequest } from './attest-exchange.ts';
import { CommandError } from './command-error.ts';
import { parseInput, readTextInput, writePrivateFile } from './command-files.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation, type Invocation } from './invocation.ts';
import { createTeeKey, exportTeeKey } from './tee-key.ts';
import { describeToken } from './trust-words.ts';

const optionsSchema = z.object({
  sample: z.boolean().default(false),
  tee: z.string().optional(),
  evidence: z.string().optional(),
  runtimeData: z.string().optional(),
  runtimeDataRaw: z.string().optional(),
  initData: z.string().optional(),
  policy: z.string().optional(),
  keyOut: z.string().optional(),
  out: z.string().optional(),
});
type Options = z.output<typeof optionsSchema>;

const EXAMPLES = `
Examples:
  $ verigo attest --sample --key-out tee.key --out token.jwt
  $ verigo attest --tee snp --evidence evidence.json --runtime-data runtime-data.json
  $ verigo attest --tee tdx --evidence quote.json --runtime-data-raw 00ff… --init-data init-data.toml --policy strict`;

/** `attest`. */
export function addAttestCommand(program: Command, io: CommandIo): void {
  program
    .command('attest')
    .description('send evidence to the server and get a token')
    .option('--sample', 'make sample evidence, bound to a fresh nonce and a new key')
    .option('--tee <tee>', 'the TEE that the evidence comes from')
    .option('--evidence <file>', 'the evidence, as JSON')
    .option('--runtime-data <file>', 'the JSON document that the evidence is bound to')
    .option('--runtime-data-raw <hex>', 'the bytes that the evidence is bound to')
    .option('--init-data <file>', 'the init data that the guest was launched with, as TOML')
    .option('--policy <id>', "the attestation policy (default: the server's)")
    .option('--key-out <file>', 'with --sample: keep the key here, as JWK, so that resources can be opened')
    .option('--out <file>', 'keep the token here')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await attest(createInvocation(io, command), optionsSchema.parse(command.opts()));
    });
}

async function attest(invocation: Invocation, options: Options): Promise<void> {
  const { io } = invocation;
  checkOptions(options);
  const request = options.sample
    ? await sampleRequest(invocation, options)
    : await evidenceRequest(invocation, options);
  const { token, decisionId } = await requestToken(invocation.api(), request, options.policy);
  if (options.out !== undefined) writePrivateFile(io, options.out, `${token}\n`);
  // The server that was asked has just made it: nothing to verify, only to read.
  const claims = jsonObjectSchema.parse(decodeJwt(token));
  const where = options.out === undefined ? `\n${token}\n` : `\nthe token is in ${options.out}\n`;
  invocation.print({
    json: { token, decision_id: decisionId ?? null, claims },
    text: `${describeToken(claims, io.clock())}${where}`,
  });
}

function checkOptions(options: Options): void {
  const { sample, tee, evidence, runtimeData, runtimeDataRaw, keyOut } = options;
  const foreign = [tee, evidence, runtimeData, runtimeDataRaw];
  if (sample && foreign.some((option) => option !== undefined)) {
    throw new CommandError('USAGE', 'expected --sample alone: it makes its own evidence and runtime data');
  }
  if (!sample && (tee === undefined || evidence === undefined)) {
    throw new CommandError('USAGE', 'expected --sample, or both --tee and --evidence');
  }
  if (!sample && keyOut !== undefined) {
    throw new CommandError('USAGE', 'expected --key-out only with --sample, which makes the key');
  }
  if (runtimeData !== undefined && runtimeDataRaw !== undefined) {
    throw new CommandError('USAGE', 'expected --runtime-data or --runtime-data-raw, got both');
  }
}

async function sampleRequest(invocation: Invocation, options: Options): Promise<VerificationRequest> {
  const key = createTeeKey();
  const request = await createSampleRequest(invocation.api(), key);
  if (options.keyOut !== undefined) writePrivateFile(invocation.io, options.keyOut, exportTeeKey(key));
  else invocation.note('note: without --key-out nobody keeps the key, and the token opens no resource');
  return { ...request, ...(await initDataOf(invocation.io, options)) };
}

async function evidenceRequest({ io }: Invocation, options: Options): Promise<VerificationRequest> {
  const evidence = await readTextInput(io, options.evidence ?? '-');
  parseInput(evidence, 'as evidence', parseJsonWithBigInts);
  return {
    tee: options.tee ?? '',
    evidence,
    ...(await runtimeDataOf(io, options)),
    ...(await initDataOf(io, options)),
  };
}

async function runtimeDataOf(
  io: CommandIo,
  { runtimeData, runtimeDataRaw }: Options,
): Promise<Pick<VerificationRequest, 'runtimeData'>> {
  if (runtimeDataRaw !== undefined) return { runtimeData: { raw: toBase64Url(bytesOf(runtimeDataRaw)) } };
  if (runtimeData === undefined) return {};
  const document = parseInput(await readTextInput(io, runtimeData), 'as runtime data');
  const parsed = jsonObjectSchema.safeParse(document);
  if (!parsed.success) throw new CommandError('INPUT_INVALID', 'expected runtime data that is a JSON object');
  return { runtimeData: { structured: parsed.data } };
}

function bytesOf(hex: string): Uint8Array {
  try {
    return fromHex(hex);
  } catch (cause) {
    throw new CommandError('USAGE', 'expected --runtime-data-raw as pairs of hex digits', { cause });
  }
}

async function initDataOf(
  io: CommandIo,
  { initData }: Options,
): Promise<Pick<VerificationRequest, 'initDataToml'>> {
  return initData === undefined ? {} : { initDataToml: await readTextInput(io, initData) };
}
