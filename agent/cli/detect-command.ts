import type { Command } from 'commander';
import { AttesterError } from '../attestation-agent/attesters/attester-error.ts';
import type { Finding } from '../attestation-agent/attesters/detect.ts';
import { addSocketFlag, socketIn, withAgent } from './agent-access.ts';
import type { CommandIo, CommandResult } from './command-io.ts';
import { addConfigFlags, configFrom } from './config-flags.ts';
import { print } from './invocation.ts';
import { printable, table } from './printing.ts';

const EXAMPLES = `
Examples:
  $ verigo-agent detect
  $ verigo-agent detect --json
  $ verigo-agent detect --socket unix:///run/confidential-containers/attestation-agent/attestation-agent.sock`;

/** `detect`. */
export function addDetectCommand(program: Command, io: CommandIo): void {
  const command = program
    .command('detect')
    .description('say in which TEE this guest runs, which devices it has, and how that was told')
    .addHelpText('after', EXAMPLES);
  addSocketFlag(addConfigFlags(command)).action(async (_flags: unknown, self: Command) => {
    const flags: unknown = self.optsWithGlobals();
    if (socketIn(flags) === undefined) await detectHere(flags, io);
    else print(io, flags, await askAgent(flags, io));
  });
}

async function askAgent(flags: unknown, io: CommandIo): Promise<CommandResult> {
  const { tee, devices } = await withAgent(flags, io, async (agent) => await agent.tees());
  return { json: { tee, devices }, text: [tee, ...devices].map((name) => `${printable(name)}\n`).join('') };
}

/** Throws AttesterError TEE_NOT_FOUND, after it has said what was looked for. */
async function detectHere(flags: unknown, io: CommandIo): Promise<void> {
  const config = await configFrom(flags, io);
  const { hardwareOf, samplesOf } = await import('../attestation-agent/open-agent.ts');
  const { findings, primary, devices } = await hardwareOf({ ...io, config }).detect(samplesOf(config));
  const tee = config.attester.tee ?? primary?.tee;
  print(io, flags, {
    json: {
      tee: tee ?? null,
      devices: devices.map((device) => device.tee),
      findings: findings.map(({ tee: name, kind, found, why }) => ({ tee: name, kind, found, why })),
    },
    text: tableOf(findings, tee),
  });
  if (tee === undefined) throw new AttesterError('TEE_NOT_FOUND', 'expected a TEE, got none');
}

function tableOf(findings: readonly Finding[], primary: string | undefined): string {
  const foundIn = ({ tee, found }: Finding): string => {
    if (tee === primary) return 'in use';
    return found ? 'yes' : 'no';
  };
  return table([
    ['TEE', 'KIND', 'FOUND', 'WHY'],
    ...findings.map((finding) => [finding.tee, finding.kind, foundIn(finding), finding.why]),
  ]);
}
