import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';
import type { RpcClient } from '../../rpc/client.ts';
import { reasonOf } from '../../rpc/failure-reason.ts';
import type { AttestationAgentService } from '../../rpc/gen/attestation_agent_pb.ts';
import { type RpcCode, RpcError } from '../../rpc/rpc-error.ts';

export type AttestationAgentErrorCode =
  | 'ATTESTATION_AGENT_UNAVAILABLE'
  | 'ATTESTATION_AGENT_REFUSED'
  | 'ATTESTATION_AGENT_REPLY_MALFORMED';

/** The Attestation Agent beside us gave no token. */
export class AttestationAgentError extends CodedError<AttestationAgentErrorCode> {}

/** It is not there, or not now. */
const UNAVAILABLE: ReadonlySet<RpcCode> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED']);
/** What says which token was refused; see token-type.ts. */
const EXCEPT = /;not=[A-Za-z0-9_-]+$/;

/**
 * GetToken of the Attestation Agent, as text. Upstream's agent does not know types with `;not=`, and makes a new token
 * for each request anyway: when it refuses one, the plain type is asked for. Throws AttestationAgentError.
 */
export function createAskAgent(
  agent: Pick<RpcClient<typeof AttestationAgentService>, 'getToken'>,
): (tokenType: string) => Promise<string> {
  const ask = async (tokenType: string): Promise<Uint8Array> => (await agent.getToken({ tokenType })).token;
  return async (tokenType) => {
    try {
      return text(await ask(tokenType));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (!EXCEPT.test(tokenType) || isOtherThanUnknown(error)) throw toAgentError(error);
    }
    try {
      return text(await ask(tokenType.replace(EXCEPT, '')));
    } catch (error) {
      throw error instanceof RpcError ? toAgentError(error) : error;
    }
  };
}

/** Our agent says why; upstream's says that it failed, also of a type that it does not know. */
function isOtherThanUnknown(error: RpcError): boolean {
  const reason = reasonOf(error);
  return UNAVAILABLE.has(error.code) || (reason !== undefined && reason !== 'TOKEN_TYPE_UNKNOWN');
}

function text(token: Uint8Array): string {
  try {
    return fromUtf8(token);
  } catch {
    // No cause: it would be of a text that holds a key.
    throw new AttestationAgentError(
      'ATTESTATION_AGENT_REPLY_MALFORMED',
      `expected a token as UTF-8 text, got ${token.byteLength} bytes that are not`,
    );
  }
}

function toAgentError(cause: RpcError): AttestationAgentError {
  return UNAVAILABLE.has(cause.code)
    ? new AttestationAgentError(
        'ATTESTATION_AGENT_UNAVAILABLE',
        `expected an answer of the Attestation Agent, got ${cause.code}`,
        { cause },
      )
    : new AttestationAgentError(
        'ATTESTATION_AGENT_REFUSED',
        `expected a token of the Attestation Agent, got ${cause.code}`,
        { cause },
      );
}
