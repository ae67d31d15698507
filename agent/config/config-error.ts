import { CodedError } from '../../server/errors/coded-error.ts';

export type ConfigErrorCode =
  | 'CONFIG_FILE_UNREADABLE'
  | 'CONFIG_FORMAT_UNSUPPORTED'
  | 'CONFIG_NOT_TOML'
  | 'CONFIG_NOT_JSON'
  | 'CONFIG_INVALID';

/** One thing to correct, and where: a key (`token_configs.kbs.url`), a line of the file, a variable. */
export interface ConfigProblem {
  readonly where: string;
  /** What was expected and what came. */
  readonly message: string;
}

export function problem(where: string, expected: string, came: string): ConfigProblem {
  return { where, message: `expected ${expected}, got ${came}` };
}

/** The guest's configuration cannot be used. Lists every problem, so that one round of editing is enough. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  readonly problems: readonly ConfigProblem[];

  constructor(code: ConfigErrorCode, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(code, problems.map(({ where, message }) => `${where}: ${message}`).join('\n'), options);
    this.problems = problems;
  }
}
