import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { problemsOf } from './config-problems.ts';
import { brokenRelations } from './config-relations.ts';
import { configSchema, type ParsedConfig } from './config-schema.ts';
import { configTree, isTable, mapKeys } from './config-tree.ts';
import { type Environment, type Override, readEnvironment } from './environment.ts';

const DEFAULT_FILE = 'verigo.toml';

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
    : T;

/** The effective configuration: checked, complete, frozen; every path in it is absolute. */
export type Config = DeepReadonly<
  Omit<ParsedConfig, 'keys'> & { keys: ParsedConfig['keys'] & { master_key_file: string } }
>;

export interface ConfigSources {
  /** Absent: VERIGO_CONFIG, else verigo.toml in `cwd`, else the defaults alone. */
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

/** A configuration, and where each key that is not a default came from. */
export interface ExplainedConfig {
  readonly config: Config;
  /** The file that was read, as its path was given; undefined when there is none. */
  readonly file: string | undefined;
  /** By path: the name of the variable or of the file. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * The configuration from one TOML file and the environment, which wins.
 * Throws ConfigError: CONFIG_FILE_UNREADABLE, CONFIG_NOT_TOML (with line and column), CONFIG_INVALID (every problem).
 */
export function loadConfig(sources: ConfigSources): Config {
  return explainConfig(sources).config;
}

/** As loadConfig, with the origin of each value, for `config show`. */
export function explainConfig(sources: ConfigSources): ExplainedConfig {
  const file = findFile(sources);
  const written = file === undefined ? {} : readToml(file, sources.cwd);
  const { overrides, problems } = readEnvironment(sources.env);
  const merged = overrides.reduce(withOverride, written);
  const config = check(merged, [...secretsInFile(written), ...problems], overrides);
  return {
    config: deepFreeze(complete(config, sources.cwd)),
    file,
    origins: originsOf(written, file ?? DEFAULT_FILE, overrides),
  };
}

function findFile({ file, env, cwd }: ConfigSources): string | undefined {
  const named = file ?? env['VERIGO_CONFIG'];
  if (named !== undefined) return named;
  return existsSync(join(cwd, DEFAULT_FILE)) ? DEFAULT_FILE : undefined;
}

function readToml(file: string, cwd: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(resolve(cwd, file), 'utf8');
  } catch (cause) {
    const problem = { where: file, message: 'expected a file that can be read, got none' };
    throw new ConfigError('CONFIG_FILE_UNREADABLE', [problem], { cause });
  }
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // Its message goes on with the lines around, which may hold a secret; so does the error itself.
    const reason = cause.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? '';
    const where = `${file}, line ${cause.line}, column ${cause.column}`;
    throw new ConfigError('CONFIG_NOT_TOML', [{ where, message: `expected TOML: ${reason}` }]);
  }
}

function secretsInFile(written: Readonly<Record<string, unknown>>): readonly ConfigProblem[] {
  const keys = written['keys'];
  if (!isTable(keys) || keys['master_key'] === undefined) return [];
  return [
    {
      where: 'keys.master_key',
      message:
        'expected in the environment (VERIGO_MASTER_KEY) or in keys.master_key_file, got it in the file',
    },
  ];
}

/** Where the file has something else than a table in the way, the schema says so; nothing is replaced. */
function withOverride(
  value: Readonly<Record<string, unknown>>,
  { path, value: override }: Pick<Override, 'path' | 'value'>,
): Readonly<Record<string, unknown>> {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (rest.length === 0) return { ...value, [name]: override };
  const inner = value[name] ?? {};
  return isTable(inner) ? { ...value, [name]: withOverride(inner, { path: rest, value: override }) } : value;
}

/** Relations between keys are looked at once each key is right by itself. */
function check(
  merged: unknown,
  problems: readonly ConfigProblem[],
  overrides: readonly Override[],
): ParsedConfig {
  const parsed = configSchema.safeParse(merged, { reportInput: true });
  const found = parsed.success ? brokenRelations(parsed.data) : problemsOf(parsed.error.issues, merged);
  const all = [...problems, ...found.map((problem) => withVariable(problem, overrides))];
  if (!parsed.success || all.length > 0) throw new ConfigError('CONFIG_INVALID', all);
  return parsed.data;
}

/** Says which variable to correct, where the key's value is not the file's. */
function withVariable(problem: ConfigProblem, overrides: readonly Override[]): ConfigProblem {
  const origin = overrides.find(({ path }) => {
    const key = path.join('.');
    return problem.where === key || problem.where.startsWith(`${key}[`);
  });
  return origin === undefined ? problem : { ...problem, where: `${problem.where} (${origin.variable})` };
}

function complete(config: ParsedConfig, cwd: string): Config {
  const absolute = configSchema.parse(
    mapKeys(configTree, config, (key, value) =>
      key.note.isPath === true ? absolutePaths(value, cwd) : value,
    ),
  );
  const masterKeyFile = absolute.keys.master_key_file ?? join(absolute.data_dir, 'master.key');
  return { ...absolute, keys: { ...absolute.keys, master_key_file: masterKeyFile } };
}

function absolutePaths(value: unknown, cwd: string): unknown {
  if (typeof value === 'string') return resolve(cwd, value);
  return Array.isArray(value) ? value.map((item: unknown) => absolutePaths(item, cwd)) : value;
}

function originsOf(
  written: Readonly<Record<string, unknown>>,
  file: string,
  overrides: readonly Override[],
): ReadonlyMap<string, string> {
  const origins = new Map<string, string>();
  mapKeys(configTree, written, (key, value) => {
    if (value !== undefined) origins.set(key.path, file);
    return value;
  });
  for (const { path, variable } of overrides) origins.set(path.join('.'), variable);
  return origins;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
