import { CodedError } from '../../server/errors/coded-error.ts';
import { AttesterError } from '../attestation-agent/attesters/attester-error.ts';
import { InitDataBindingError } from '../attestation-agent/init-data-at-start.ts';
import { ClientError } from '../client-error.ts';
import { type RpcCode, RpcError } from '../rpc/rpc-error.ts';
import { TeeKeyError } from '../tee-key/tee-key-error.ts';

/** What the shell sees. Documented in `verigo-agent --help`; scripts rely on it. */
export const EXIT_CODES = { done: 0, refused: 1, usage: 2, couldNotCheck: 3, notFound: 4 } as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** What the command line itself found wrong. */
export class CommandError extends CodedError<
  'USAGE' | 'INPUT_UNREADABLE' | 'INPUT_INVALID' | 'OUTPUT_UNWRITABLE'
> {}

const NOT_FOUND: ReadonlySet<string> = new Set(['RESOURCE_NOT_FOUND', 'PLUGIN_NOT_FOUND', 'TEE_NOT_FOUND']);
/** What an agent answers in place of the result; INTERNAL and the like say that it could not tell. */
const EXIT_CODE_OF_RPC: ReadonlyMap<RpcCode, ExitCode> = new Map([
  ['INVALID_ARGUMENT', EXIT_CODES.usage],
  ['FAILED_PRECONDITION', EXIT_CODES.usage],
  ['NOT_FOUND', EXIT_CODES.notFound],
  ['PERMISSION_DENIED', EXIT_CODES.refused],
  ['UNAUTHENTICATED', EXIT_CODES.refused],
]);

/** Errors of no table are of what the user wrote: arguments, configuration, init data. */
export function exitCodeOf(error: CodedError): ExitCode {
  if (NOT_FOUND.has(error.code)) return EXIT_CODES.notFound;
  if (error instanceof RpcError) return EXIT_CODE_OF_RPC.get(error.code) ?? EXIT_CODES.couldNotCheck;
  if (error instanceof ClientError) return error.isTransient ? EXIT_CODES.couldNotCheck : EXIT_CODES.refused;
  if (error instanceof AttesterError) return EXIT_CODES.couldNotCheck;
  if (error instanceof InitDataBindingError || error instanceof TeeKeyError) return EXIT_CODES.refused;
  return EXIT_CODES.usage;
}
