import { CodedError } from '../../server/errors/coded-error.ts';

/** Every refusal of the front's own, with its status and upstream's words for it. */
const REFUSALS = {
  PEER_FORBIDDEN: [403, 'Forbidden'],
  HOST_FORBIDDEN: [403, 'Forbidden'],
  ORIGIN_FORBIDDEN: [403, 'Forbidden'],
  ACCESS_TOKEN_REFUSED: [401, 'Unauthorized'],
  TARGET_MALFORMED: [400, 'BAD REQUEST'],
  TARGET_TOO_LONG: [414, 'URI TOO LONG'],
  PARAMETER_MALFORMED: [400, 'BAD REQUEST'],
  BODY_MALFORMED: [400, 'BAD REQUEST'],
  BODY_TOO_LARGE: [413, 'PAYLOAD TOO LARGE'],
  RESOURCE_NAME_REFUSED: [400, 'BAD REQUEST'],
  PATH_NOT_FOUND: [404, 'URL NOT FOUND'],
  ATTESTATION_NOT_ENABLED: [404, 'Attestation Feature Not Enabled'],
  RESOURCE_NOT_ENABLED: [404, 'Resource Feature Not Enabled'],
  METHOD_NOT_ALLOWED: [405, 'Method Not Allowed'],
  OVERLOADED: [503, 'Service Unavailable'],
} as const satisfies Record<string, readonly [status: number, words: string]>;
export type RestErrorCode = keyof typeof REFUSALS;

/** A request that this front does not pass on. */
export class RestError extends CodedError<RestErrorCode> {
  /** For `Allow`, of METHOD_NOT_ALLOWED. */
  readonly allowed: string | undefined;

  constructor(
    code: RestErrorCode,
    message: string,
    options: ErrorOptions & { readonly allowed?: string } = {},
  ) {
    super(code, message, options);
    this.allowed = options.allowed;
  }

  get status(): number {
    return REFUSALS[this.code][0];
  }

  /** The body of the reply. */
  get words(): string {
    return REFUSALS[this.code][1];
  }
}
