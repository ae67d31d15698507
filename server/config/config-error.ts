import { CodedError } from '../errors/coded-error.ts';

export type ConfigErrorCode = 'CONFIG_FILE_UNREADABLE' | 'CONFIG_NOT_TOML' | 'CONFIG_INVALID';

/** One thing to correct, and where: a key (`http.port`), an environment variable, or a line of the file. */
export interface ConfigProblem {
  readonly where: string;
  /** What was expected and what came; never the value of a secret. */
  readonly message: string;
}

/** The operator's configuration cannot be used. Lists every problem, so that one round of editing is enough. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  readonly problems: readonly ConfigProblem[];

  constructor(code: ConfigErrorCode, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(code, problems.map((problem) => `${problem.where}: ${problem.message}`).join('\n'), options);
    this.problems = problems;
  }
}
