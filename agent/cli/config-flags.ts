import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Config } from '../config/config-schema.ts';
import { loadConfig, type Override } from '../config/load-config.ts';
import { CommandError } from './command-error.ts';
import { readTextInput } from './command-files.ts';
import type { Surroundings } from './command-io.ts';

const flagsSchema = z.object({
  configFile: z.string().optional(),
  attestation_sock: z.array(z.string()).optional(),
  kbsRootCa: z.string().optional(),
  pin: z.array(z.string()).optional(),
  as: z.string().optional(),
  timeout: z.string().optional(),
});

/** The configuration, and what on the command line wins over it: the same for every command. */
export function addConfigFlags(command: Command): Command {
  return command
    .option(
      '-c, --config-file <path>',
      'the configuration, TOML or JSON (default: /etc/attestation-agent.conf)',
    )
    .option('--kbs-root-ca <file>', 'certificates (PEM) that vouch for the key broker of token_configs.kbs')
    .option('--pin <sha256>', "pin of that key broker's key, 'sha256/…'; may be repeated", collect)
    .option('--as <name>', 'the attestation service that coco_as means, of those in the configuration')
    .option('--timeout <seconds>', 'how long a token may take, with all attempts');
}

/** For flags that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Throws ConfigError; CommandError for the flags themselves. */
export async function configFrom(flags: unknown, around: Surroundings): Promise<Config> {
  const { configFile: file, ...given } = flagsSchema.parse(flags);
  return await loadConfig({
    file: file === undefined ? undefined : resolve(around.cwd, file),
    env: around.env,
    root: around.root,
    overrides: await overridesOf(given, around),
  });
}

async function overridesOf(
  given: Omit<z.output<typeof flagsSchema>, 'configFile'>,
  around: Surroundings,
): Promise<readonly Override[]> {
  const { kbsRootCa, timeout, pin, as, attestation_sock: sockets } = given;
  const overrides: Override[] = [];
  const add = (path: Override['path'], value: unknown): void => {
    if (value !== undefined) overrides.push({ path, value });
  };
  add(['sockets', 'listen'], sockets);
  if (kbsRootCa !== undefined) add(['token_configs', 'kbs', 'cert'], await readTextInput(around, kbsRootCa));
  add(['token_configs', 'kbs', 'pins'], pin);
  add(['token_configs', 'attestation_service'], as);
  if (timeout !== undefined) {
    const seconds = readSeconds(timeout);
    add(['deadlines', 'request_seconds'], seconds);
    add(['deadlines', 'attempt_seconds'], seconds);
  }
  return overrides;
}

function readSeconds(text: string): number {
  if (/^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= 600) return Number(text);
  throw new CommandError('USAGE', 'expected --timeout as seconds from 1 to 600, got something else');
}
