import { CodedError } from '../errors/coded-error.ts';

/** What somebody imports is nothing that a verifier could use. */
export class CollateralError extends CodedError<'COLLATERAL_UNRECOGNIZED'> {}
