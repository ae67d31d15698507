import type { KeyObject } from 'node:crypto';
import { flattenedDecrypt } from 'jose';
import { z } from 'zod';
import { type ApiClient, type ApiRequest, jsonBody, replyJson, segment } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { createSampleEvidence } from './sample-evidence.ts';
import type { TeeKey } from './tee-key.ts';

const PROTOCOL_VERSION = '0.4.0';
const SESSION_COOKIE = 'kbs-session-id';
const SESSION_ID = /^[A-Za-z0-9._~-]{1,256}$/;
const KEY_ALGORITHMS = ['ECDH-ES+A256KW', 'RSA-OAEP-256'];

const challengeSchema = z.object({ nonce: z.string().min(1) });
const attestReplySchema = z.object({ token: z.string() });
const jweSchema = z.object({
  protected: z.string(),
  encrypted_key: z.string(),
  iv: z.string(),
  ciphertext: z.string(),
  tag: z.string(),
});

/** `repository/type/tag`, or the `kbs:///…` URI of the same, as a path of the key broker. Throws CommandError USAGE. */
export function resourcePath(text: string): string {
  const segments = text.replace(/^kbs:\/\/\//, '').split('/');
  if (segments.length !== 3) {
    throw new CommandError('USAGE', `expected a resource as repository/type/tag, got '${text}'`);
  }
  return `/kbs/v0/resource/${segments.map(segment).join('/')}`;
}

/** Gets a resource and opens it. `credentials` are a bearer token, or the cookie of a session that has attested. */
export async function fetchResource(
  api: ApiClient,
  path: string,
  credentials: Pick<ApiRequest, 'token' | 'headers'>,
  privateKey: KeyObject,
): Promise<Uint8Array> {
  const jwe = await api.json({ method: 'GET', path, ...credentials }, jweSchema);
  try {
    const { plaintext } = await flattenedDecrypt(jwe, privateKey, {
      keyManagementAlgorithms: KEY_ALGORITHMS,
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    return plaintext;
  } catch (cause) {
    throw new CommandError('RESOURCE_NOT_OPENED', 'expected a resource sealed to this key, got another', {
      cause,
      advice: 'use the key that the token was made with (attest --key-out)',
    });
  }
}

/**
 * The handshake of the key broker protocol with sample evidence: request, challenge, attestation. Resolves to the
 * cookie of the session.
 */
export async function attestSampleSession(api: ApiClient, key: TeeKey): Promise<string> {
  const auth = await api.send({
    method: 'POST',
    path: '/kbs/v0/auth',
    body: jsonBody({ version: PROTOCOL_VERSION, tee: 'sample', 'extra-params': '' }),
  });
  const cookie = sessionCookie(auth.headers);
  const { nonce } = replyJson(auth, challengeSchema);
  if (cookie === undefined) {
    throw new CommandError('SERVER_REPLY_UNEXPECTED', 'expected a session cookie from the server, got none');
  }
  const bound = { nonce, 'tee-pubkey': key.publicJwk, 'additional-evidence': '' };
  const body = jsonBody({
    'init-data': null,
    'runtime-data': { nonce, 'tee-pubkey': key.publicJwk },
    'tee-evidence': { primary_evidence: createSampleEvidence(bound), additional_evidence: '' },
  });
  const reply = await api.send({ method: 'POST', path: '/kbs/v0/attest', body, headers: { cookie } });
  replyJson(reply, attestReplySchema);
  // As a browser would: a cookie that comes with the reply replaces the one of the handshake.
  return sessionCookie(reply.headers) ?? cookie;
}

function sessionCookie(headers: Headers): string | undefined {
  for (const cookie of headers.getSetCookie()) {
    const [name, value] = (cookie.split(';')[0] ?? '').split('=');
    if (name === SESSION_COOKIE && value !== undefined && SESSION_ID.test(value)) return `${name}=${value}`;
  }
  return undefined;
}
