import { CodedError } from '../server/errors/coded-error.ts';

export type ClientErrorCode =
  // Nobody answered as a server in order does: another try, later, may go well.
  | 'SERVER_UNREACHABLE'
  | 'SERVER_OVERLOADED'
  | 'SERVER_FAILED'
  | 'DEADLINE_EXCEEDED'
  // Nothing was sent.
  | 'SERVER_NOT_CONFIGURED'
  // Not the server that we were told to speak to.
  | 'CERTIFICATE_UNTRUSTED'
  | 'PIN_MISMATCH'
  | 'REDIRECT_REFUSED'
  // The server said no.
  | 'ATTESTATION_REFUSED'
  | 'NONCE_REFUSED'
  | 'PROTOCOL_VERSION_MISMATCH'
  | 'UNAUTHENTICATED'
  | 'CREDENTIALS_REFUSED'
  | 'POLICY_DENIED'
  | 'RESOURCE_NOT_FOUND'
  | 'PLUGIN_NOT_FOUND'
  | 'PLUGIN_FAILED'
  | 'REQUEST_REFUSED'
  // The server answered, but not what the protocol says.
  | 'REPLY_TOO_LARGE'
  | 'REPLY_MALFORMED'
  | 'HASH_ALGORITHM_UNSUPPORTED'
  | 'RESOURCE_NOT_SEALED'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_EXPIRED_ON_ARRIVAL'
  | 'TOKEN_NOT_YET_VALID'
  | 'TOKEN_WITHOUT_OUR_KEY';

/** What the server said of its refusal, as far as it said it. */
export interface ServerStatement {
  /** HTTP status. */
  readonly status: number;
  /** The server's own code or error type, without a prefix: `POLICY_DENIED`, `PolicyDeny`. */
  readonly serverCode: string | undefined;
  /** Names the row of the server's record that says why. */
  readonly decisionId: string | undefined;
  /** Seconds that the server asks to wait. */
  readonly retryAfterSeconds: number | undefined;
}

const TRANSIENT: ReadonlySet<ClientErrorCode> = new Set([
  'SERVER_UNREACHABLE',
  'SERVER_OVERLOADED',
  'SERVER_FAILED',
  'DEADLINE_EXCEEDED',
]);

/** Why a server gave no token or no resource. Never holds a token, a secret or a whole reply. */
export class ClientError extends CodedError<ClientErrorCode> {
  readonly statement: ServerStatement | undefined;

  constructor(
    code: ClientErrorCode,
    message: string,
    options: ErrorOptions & { readonly statement?: ServerStatement } = {},
  ) {
    super(code, message, options);
    this.statement = options.statement;
  }

  /** Whether the same request may go well later. What a server said no to stays refused. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.code);
  }
}
