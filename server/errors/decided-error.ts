/**
 * A refusal that has been recorded: `cause` is why, `decisionId` names the row of the record.
 * The reply carries both, so that whoever was refused can ask the operator for the reason.
 */
export class DecidedError extends Error {
  readonly decisionId: string;

  constructor(decisionId: string, cause: unknown) {
    super('refused, and recorded', { cause });
    this.name = 'DecidedError';
    this.decisionId = decisionId;
  }
}
