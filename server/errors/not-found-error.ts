import { CodedError } from './coded-error.ts';

/** What was asked for by name is not there. */
export class NotFoundError extends CodedError<'NOT_FOUND'> {
  constructor(message: string) {
    super('NOT_FOUND', message);
  }
}
