/**
 * An error that callers tell apart by its code. People read the message: what was expected and what came,
 * never a secret, a path or a whole certificate.
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** As `instanceof`, which would make the code an `any`. */
export function isCodedError(error: unknown): error is CodedError {
  return error instanceof CodedError;
}
