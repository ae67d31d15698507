import { CodedError } from '../../../server/errors/coded-error.ts';

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Why something was refused. That it was not is a failure. */
export async function refusalOf(answer: Promise<unknown>): Promise<Refusal> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof CodedError) return { code: String(error.code), message: error.message };
    throw error;
  }
  throw new Error('expected it to be refused');
}
