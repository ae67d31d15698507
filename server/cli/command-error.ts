import { CodedError } from '../errors/coded-error.ts';

/** What the shell sees. Documented in `verigo --help`; scripts rely on it. */
export const EXIT_CODES = { done: 0, refused: 1, usage: 2, couldNotCheck: 3, notFound: 4 } as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

export type CommandErrorCode =
  | 'USAGE'
  | 'INPUT_UNREADABLE'
  | 'INPUT_INVALID'
  | 'OUTPUT_UNWRITABLE'
  | 'ADMIN_KEY_UNAVAILABLE'
  | 'SERVER_UNREACHABLE'
  | 'SERVER_REPLY_UNEXPECTED'
  | 'TOKEN_NOT_VALID'
  | 'RESOURCE_NOT_OPENED'
  | 'POLICY_TESTS_FAILED';

const EXIT_CODE_OF: Readonly<Record<CommandErrorCode, ExitCode>> = {
  USAGE: EXIT_CODES.usage,
  INPUT_UNREADABLE: EXIT_CODES.usage,
  INPUT_INVALID: EXIT_CODES.usage,
  OUTPUT_UNWRITABLE: EXIT_CODES.usage,
  ADMIN_KEY_UNAVAILABLE: EXIT_CODES.usage,
  SERVER_UNREACHABLE: EXIT_CODES.couldNotCheck,
  SERVER_REPLY_UNEXPECTED: EXIT_CODES.couldNotCheck,
  TOKEN_NOT_VALID: EXIT_CODES.refused,
  RESOURCE_NOT_OPENED: EXIT_CODES.refused,
  POLICY_TESTS_FAILED: EXIT_CODES.refused,
};

/** What the command line itself found wrong, before or after it spoke to the server. */
export class CommandError extends CodedError<CommandErrorCode> {
  /** What to do next, in one sentence. */
  readonly advice: string | undefined;

  constructor(code: CommandErrorCode, message: string, options: ErrorOptions & { advice?: string } = {}) {
    super(code, message, options);
    this.advice = options.advice;
  }

  get exitCode(): ExitCode {
    return EXIT_CODE_OF[this.code];
  }
}

/** The server's own refusal, with its code and, when there is one, the decision that recorded it. */
export class ServerRefusal extends CodedError {
  readonly status: number;
  readonly decisionId: string | undefined;

  constructor(status: number, code: string, message: string, decisionId: string | undefined) {
    super(code, message);
    this.status = status;
    this.decisionId = decisionId;
  }

  /** 404 is its own answer; what says "later" or "my fault" may be tried again; every other 4xx is final. */
  get exitCode(): ExitCode {
    if (this.status === 404) return EXIT_CODES.notFound;
    return this.status === 429 || this.status >= 500 ? EXIT_CODES.couldNotCheck : EXIT_CODES.refused;
  }

  get advice(): string | undefined {
    if (this.decisionId !== undefined) return `verigo decision show ${this.decisionId} tells why`;
    return ADVICE_OF_STATUS.get(this.status);
  }
}

const ADVICE_OF_STATUS = new Map([
  [401, 'check that the token is valid (verigo token verify) or, to administrate, pass --admin-token'],
  [403, 'an administrator whose role allows this call has to do it (admin.acls in verigo.toml)'],
  [413, 'send less, or raise the limit in verigo.toml'],
  [429, 'try again in a minute'],
  [503, "try again; if it stays so, look at the server's log"],
]);
