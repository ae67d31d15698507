import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { systemErrorCode } from '../attestation-agent/system-error.ts';
import { ConfigError } from './config-error.ts';
import { isTable, problemsOf } from './config-problems.ts';
import { brokenRelations } from './config-relations.ts';
import { type Config, configSchema } from './config-schema.ts';
import { keyBrokerUrlOf } from './kbc-params.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigSources {
  /** Absent: `/etc/attestation-agent.conf` where there is one, else what environment and kernel say. */
  readonly file: string | undefined;
  readonly env: Environment;
  /** Where the file system of this guest begins: `/`. */
  readonly root: string;
  /** What the command line says, by the path of each key. It wins. */
  readonly overrides?: readonly Override[];
}

export interface Override {
  readonly path: readonly [string, ...string[]];
  readonly value: unknown;
}

export const DEFAULT_FILE = '/etc/attestation-agent.conf';
const KERNEL_COMMAND_LINE = '/proc/cmdline';
const MAX_FILE_LENGTH = 1 << 20;

/**
 * The agent's configuration: TOML, or JSON in a file of that extension. Throws ConfigError with every problem, and for a
 * key that is not known with the one that was probably meant.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const written = await readWritten(sources);
  const root = withLogVariable((sources.overrides ?? []).reduce(withOverride, written), sources.env);
  const parsed = configSchema.safeParse(root);
  if (!parsed.success) {
    throw new ConfigError('CONFIG_INVALID', problemsOf(parsed.error, configSchema, root));
  }
  const broken = brokenRelations(parsed.data);
  if (broken.length > 0) throw new ConfigError('CONFIG_INVALID', broken);
  return parsed.data;
}

async function readWritten({ file, env, root }: ConfigSources): Promise<Readonly<Record<string, unknown>>> {
  if (file !== undefined) return parseText(file, await readNamed(file));
  const text = await readIfThere(join(root, DEFAULT_FILE));
  if (text !== undefined) return parseText(DEFAULT_FILE, text);
  const url = keyBrokerUrlOf({
    variable: env['AA_KBC_PARAMS'],
    kernelCommandLine: await readIfThere(join(root, KERNEL_COMMAND_LINE)),
  });
  return url === undefined ? {} : { token_configs: { kbs: { url } } };
}

async function readNamed(file: string): Promise<string> {
  const text = await readIfThere(file);
  if (text !== undefined) return text;
  throw new ConfigError('CONFIG_FILE_UNREADABLE', [
    { where: file, message: 'expected a file that can be read, got none' },
  ]);
}

/** Undefined where there is none; one that is there and cannot be read is not passed over. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOENT') return undefined;
    if (code === undefined) throw cause;
    const problem = { where: path, message: `expected a file that can be read, got ${code}` };
    throw new ConfigError('CONFIG_FILE_UNREADABLE', [problem], { cause });
  }
}

function parseText(file: string, text: string): Readonly<Record<string, unknown>> {
  if (text.length > MAX_FILE_LENGTH) {
    const message = `expected at most ${MAX_FILE_LENGTH} characters, got ${text.length}`;
    throw new ConfigError('CONFIG_INVALID', [{ where: file, message }]);
  }
  if (/\.ya?ml$/i.test(file)) {
    const message = 'expected TOML or JSON, got YAML';
    throw new ConfigError('CONFIG_FORMAT_UNSUPPORTED', [{ where: file, message }]);
  }
  return /\.json$/i.test(file) ? readJson(file, text) : readToml(file, text);
}

function readToml(file: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parseToml(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // Its message goes on with the lines around, which may hold a certificate; so does the error itself.
    const reason = cause.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? '';
    const where = `${file}, line ${cause.line}, column ${cause.column}`;
    throw new ConfigError('CONFIG_NOT_TOML', [{ where, message: `expected TOML: ${reason}` }]);
  }
}

function readJson(file: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new ConfigError('CONFIG_NOT_JSON', [{ where: file, message: cause.message }]);
  }
  if (isTable(value)) return value;
  throw new ConfigError('CONFIG_NOT_JSON', [{ where: file, message: 'expected a JSON object, got another' }]);
}

/** Where the file has something else than a table in the way, the schema says so; nothing is replaced. */
function withOverride(
  value: Readonly<Record<string, unknown>>,
  { path: [name, ...rest], value: override }: Override,
): Readonly<Record<string, unknown>> {
  const [next, ...others] = rest;
  if (next === undefined) return { ...value, [name]: override };
  const inner = value[name] ?? {};
  if (!isTable(inner)) return value;
  return { ...value, [name]: withOverride(inner, { path: [next, ...others], value: override }) };
}

/** RUST_LOG, which upstream's launchers set; only its bare levels mean anything here. */
function withLogVariable(
  value: Readonly<Record<string, unknown>>,
  { RUST_LOG: variable }: Environment,
): Readonly<Record<string, unknown>> {
  const level = variable?.toLowerCase() ?? '';
  return /^(?:off|error|warn|info|debug|trace)$/.test(level)
    ? withOverride(value, { path: ['log', 'level'], value: level })
    : value;
}
