import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { type Config, type ExplainedConfig, explainConfig } from '../config/load-config.ts';
import { CodedError } from '../errors/coded-error.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import type { CommandIo, CommandResult } from './command-io.ts';
import { printableJson } from './printing.ts';

/** Long enough for one command, too short to be worth stealing. */
const OWN_TOKEN_LIFETIME_SECONDS = 60;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const globalOptionsSchema = z.object({
  config: z.string().optional(),
  server: z.string().optional(),
  adminToken: z.string().optional(),
  json: z.boolean().default(false),
});

/** One run of one command: its global options, and what they lead to. */
export interface Invocation {
  readonly io: CommandIo;
  readonly json: boolean;
  /** Throws ConfigError. */
  explainedConfig(): ExplainedConfig;
  config(): Config;
  /** The address to speak to. */
  server(): string;
  api(): ApiClient;
  /** From --admin-token, VERIGO_ADMIN_TOKEN, or minted with the admin key of this installation. */
  adminToken(): Promise<string>;
  print(result: CommandResult): void;
  /** For what is not the result: warnings and notes, on standard error. */
  note(text: string): void;
}

export function createInvocation(io: CommandIo, command: Command): Invocation {
  const options = globalOptionsSchema.parse(command.optsWithGlobals());
  let explained: ExplainedConfig | undefined;
  const explainedConfig = (): ExplainedConfig =>
    (explained ??= explainConfig({ file: options.config, env: io.env, cwd: io.cwd }));
  const config = (): Config => explainedConfig().config;
  const server = (): string => {
    const named = options.server ?? io.env['VERIGO_SERVER'];
    return named === undefined ? ownAddress(config()) : checkedAddress(named);
  };
  return {
    io,
    json: options.json,
    explainedConfig,
    config,
    server,
    api: () => createApiClient(server()),
    adminToken: async () => {
      warnOfPlainText(io, server());
      return options.adminToken ?? io.env['VERIGO_ADMIN_TOKEN'] ?? (await mintOwnToken(io, config()));
    },
    print: ({ json, text }) => {
      io.writeStdout(options.json ? `${printableJson(json)}\n` : text);
    },
    note: (text) => {
      io.writeStderr(`${text}\n`);
    },
  };
}

function ownAddress({ http }: Config): string {
  if (http.port === 0) {
    throw new CommandError(
      'USAGE',
      'expected --server, since http.port is 0: the server chose a port of its own',
    );
  }
  const everywhere: readonly string[] = ['0.0.0.0', '::'];
  const host = everywhere.includes(http.host) ? '127.0.0.1' : http.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

function checkedAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // An origin and nothing else: paths are ours, and credentials do not belong into an address.
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new CommandError('USAGE', 'expected --server as http(s)://host:port, got something else');
  }
  return url.origin;
}

function warnOfPlainText(io: CommandIo, server: string): void {
  const { protocol, hostname } = new URL(server);
  if (protocol === 'http:' && !LOOPBACK.has(hostname)) {
    io.writeStderr("warning: the administrator's token crosses the network unencrypted; use https\n");
  }
}

async function mintOwnToken(io: CommandIo, config: Config): Promise<string> {
  try {
    return await io.services.mintAdminToken(adminKeyFile(config), {
      role: 'admin',
      subject: 'verigo-command-line',
      lifetimeSeconds: OWN_TOKEN_LIFETIME_SECONDS,
      at: io.clock(),
    });
  } catch (cause) {
    throw adminKeyUnavailable(cause);
  }
}

/** The key that the first start of a server makes, and that it trusts. */
export function adminKeyFile(config: Config): string {
  return join(config.data_dir, 'admin.key');
}

export function adminKeyUnavailable(cause: unknown): CommandError {
  const reason = cause instanceof CodedError ? `: ${cause.message}` : '';
  return new CommandError('ADMIN_KEY_UNAVAILABLE', `expected the admin key in data_dir, got none${reason}`, {
    cause,
    advice: 'run this where the server runs, after its first start, or pass --admin-token',
  });
}
