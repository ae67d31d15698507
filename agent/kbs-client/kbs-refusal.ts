import type { ClientError, ClientErrorCode } from '../client-error.ts';
import { failureOfServer, type Refusal, refused, type Server } from '../http/server.ts';

/** In the refusal's text, because upstream has no type of its own for it. */
const VERSION_MISMATCH = 'KBS Client Protocol Version Mismatch';

/**
 * What a key broker's refusals mean to a guest, by Verigo's codes and by the types of upstream's broker, which answers
 * nearly everything with 401. UNAUTHENTICATED is the only one that attesting anew can mend.
 */
const OF_RESOURCE: ReadonlyMap<string, ClientErrorCode> = new Map([
  ['PolicyDeny', 'POLICY_DENIED'],
  ['POLICY_DENIED', 'POLICY_DENIED'],
  ['PolicyEngineError', 'POLICY_DENIED'],
  ['RESOURCE_NOT_FOUND', 'RESOURCE_NOT_FOUND'],
  ['PluginNotFound', 'PLUGIN_NOT_FOUND'],
  ['PLUGIN_NOT_FOUND', 'PLUGIN_NOT_FOUND'],
  ['TokenNotFound', 'UNAUTHENTICATED'],
  ['TOKEN_NOT_FOUND', 'UNAUTHENTICATED'],
  ['TokenVerifierError', 'UNAUTHENTICATED'], // also of tokens that have expired
  ['TOKEN_EXPIRED', 'UNAUTHENTICATED'],
  // The issuer may have changed its key since the token was minted.
  ['TOKEN_KEY_UNKNOWN', 'UNAUTHENTICATED'],
  ['TOKEN_SIGNATURE_INVALID', 'UNAUTHENTICATED'],
  ['TOKEN_KEY_NOT_ENDORSED', 'UNAUTHENTICATED'],
  ['JweError', 'CREDENTIALS_REFUSED'],
]);
/** The token is whole and current, and still not one that this broker takes; another one would say the same. */
const REFUSED_TOKEN = /^(?:TOKEN|TEE_KEY)_/;

const NONCE_CODES: ReadonlySet<string> = new Set([
  'HANDSHAKE_INVALID',
  'SESSION_MISSING',
  'SESSION_ALREADY_ATTESTED',
  'NONCE_MISMATCH',
  'NONCE_EXPIRED',
  'NONCE_ALREADY_USED',
]);

/** Why a resource was not given. */
export function resourceRefusal(server: Server, refusal: Refusal): ClientError {
  return failureOfServer(server, refusal) ?? refused(codeOfResource(refusal), server, refusal);
}

function codeOfResource({ status, serverCode = '' }: Refusal): ClientErrorCode {
  const known = OF_RESOURCE.get(serverCode);
  if (known !== undefined) return known;
  if (REFUSED_TOKEN.test(serverCode)) return 'CREDENTIALS_REFUSED';
  // Upstream says so when the resource does not exist, and of whatever else went wrong behind it.
  if (serverCode === 'PluginInternalError' && status === 401) return 'PLUGIN_FAILED';
  switch (status) {
    case 401:
      return 'UNAUTHENTICATED';
    case 403:
      return 'POLICY_DENIED';
    case 404:
      return 'RESOURCE_NOT_FOUND';
    default:
      return 'REQUEST_REFUSED';
  }
}

/** Why a handshake ended. Its 401 says that the evidence was not accepted, and the same evidence will not be. */
export function handshakeRefusal(server: Server, refusal: Refusal): ClientError {
  return failureOfServer(server, refusal) ?? refused(codeOfHandshake(refusal), server, refusal);
}

function codeOfHandshake({ status, serverCode = '', detail }: Refusal): ClientErrorCode {
  if (serverCode === 'PROTOCOL_VERSION_MISMATCH' || detail.includes(VERSION_MISMATCH)) {
    return 'PROTOCOL_VERSION_MISMATCH';
  }
  if (NONCE_CODES.has(serverCode)) return 'NONCE_REFUSED';
  return status === 401 || status === 403 ? 'ATTESTATION_REFUSED' : 'REQUEST_REFUSED';
}
