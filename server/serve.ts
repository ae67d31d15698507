import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { systemClock } from './clock.ts';
import { compose, type Verigo } from './compose.ts';
import { adminKeyFile } from './composition/administrators.ts';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/load-config.ts';

/** Longer than a request may take. */
const GRACE_MILLISECONDS = 35_000;
/** What must never reach a log, wherever it stands. */
const REDACTED = [
  'req.headers.authorization',
  'req.headers.cookie',
  'headers.authorization',
  'headers.cookie',
];

export interface ServeOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly policyFolder: string;
  /** For people: progress, and where everything is. */
  readonly print: (text: string) => void;
}

/** Runs the server until it is told to stop (SIGTERM, SIGINT); what is in flight is finished first. */
export async function serve(
  config: Config,
  { environment, policyFolder, print }: ServeOptions,
): Promise<void> {
  const log = pino({ level: config.log.level, redact: REDACTED, base: null });
  const verigo = await compose(config, {
    clock: systemClock,
    fetch: globalThis.fetch,
    log,
    environment,
    policyFolder,
    onProgress: (line) => {
      print(`${line}\n`);
    },
  });
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const grace = closeWithGrace({ delay: GRACE_MILLISECONDS, logger: false }, async ({ err }) => {
    if (err !== undefined) log.fatal({ err }, 'the process fails; closing');
    await verigo.close();
    resolve(undefined);
  });
  try {
    const address = await verigo.app.listen({ host: config.http.host, port: config.http.port });
    print(banner(config, verigo, address));
  } catch (error) {
    grace.uninstall();
    await verigo.close();
    throw listenFailure(error, config);
  }
  await stopped;
}

/** Of the network's errors the operator gets the address and the reason; any other is a defect of ours. */
function listenFailure(error: unknown, { http }: Config): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  const message = `expected an address that is free to listen on, got ${http.host}:${http.port} (${String(error.code)})`;
  return new ConfigError('CONFIG_INVALID', [{ where: 'http', message }], { cause: error });
}

function banner(config: Config, verigo: Verigo, address: string): string {
  const roles = config.roles.join(', ');
  const sample = config.verifiers.dangerously_accept_sample_evidence;
  return [
    `Verigo listens on ${address} in the roles ${roles}`,
    `  data       ${config.data_dir} (${verigo.database} Postgres)`,
    ...(config.admin.trust_local_key ? [`  admin key  ${adminKeyFile(config)}`] : []),
    ...(verigo.seeded.length > 0 ? [`  policies   seeded ${verigo.seeded.join(', ')}`] : []),
    ...(sample ? ['  WARNING    sample evidence, which proves nothing, is accepted'] : []),
    'Try next, from another shell:',
    '  npx verigo policy list',
    ...(sample
      ? ['  npx verigo attest --sample']
      : ['  npx verigo attest --tee snp --evidence evidence.json']),
    '  npx verigo --help',
    '',
  ].join('\n');
}
