import { z } from 'zod';
import { tokenReplySchema } from '../../server/protocol/background-check.ts';
import { collectEvidence } from '../binding/bound-evidence.ts';
import { type BoundToken, checkTokenOnArrival } from '../binding/token-on-arrival.ts';
import { ClientError } from '../client-error.ts';
import type { Guest } from '../guest.ts';
import { type AttemptOptions, withAttempts } from '../http/attempts.ts';
import type { HttpReply } from '../http/exchange.ts';
import { ask, malformed, refusalOf, replyJson, type Server } from '../http/server.ts';
import { createTeeKey } from '../tee-key/tee-key.ts';
import { negotiatedHash } from './hash-negotiation.ts';
import { handshakeRefusal } from './kbs-refusal.ts';

/** An attestation that a key broker had done for us: the session that it opened, and the service's token. */
export interface AttestedSession {
  /** `kbs-session-id=…`, to be sent back. A bearer secret. */
  readonly cookie: string;
  readonly token: BoundToken;
}

export interface HandshakeOptions {
  readonly server: Server;
  readonly attempts?: AttemptOptions | undefined;
}

const PROTOCOL_VERSION = '0.4.0';
const MAX_NONCE_LENGTH = 65_536;
const SESSION_COOKIE = /^kbs-session-id=[A-Za-z0-9._~=-]{1,4096}$/;

const challengeSchema = z.object({
  nonce: z.string().min(1).max(MAX_NONCE_LENGTH),
  'extra-params': z.unknown(),
});

/**
 * The handshake of the Confidential Containers key broker protocol (RCAR), version 0.4.0: request, challenge, attestation,
 * response. The key is new for each attempt. Throws ClientError; EvidenceError or an attester's own when the TEE gives none.
 */
export async function attestByHandshake(guest: Guest, options: HandshakeOptions): Promise<AttestedSession> {
  return await withAttempts(async (signal) => {
    try {
      return await attestOnce(guest, options.server, signal);
    } catch (error) {
      // The broker no longer knows its challenge: it was restarted, or the evidence took longer than it waits.
      if (!(error instanceof ClientError) || error.code !== 'NONCE_REFUSED') throw error;
      return await attestOnce(guest, options.server, signal);
    }
  }, options.attempts);
}

async function attestOnce(guest: Guest, server: Server, signal: AbortSignal): Promise<AttestedSession> {
  const { provider, digester, initDataToml } = guest;
  const key = await createTeeKey(guest.teeKeyAlgorithm);
  const challenge = await ask(server, {
    path: '/kbs/v0/auth',
    json: {
      version: PROTOCOL_VERSION,
      tee: provider.tee,
      'extra-params': { 'supported-hash-algorithms': digester.hashes },
    },
    signal,
  });
  const { nonce, 'extra-params': extraParams } = readReply(server, challenge, challengeSchema);
  const cookie = sessionCookie(challenge);
  if (cookie === undefined) throw malformed(server, 'a session cookie');

  const data = { nonce, 'tee-pubkey': key.publicJwk };
  const hash = negotiatedHash(extraParams, digester.hashes);
  const { primary, additional } = await collectEvidence(provider, data, hash, digester);
  const response = await ask(server, {
    path: '/kbs/v0/attest',
    headers: { cookie },
    json: {
      'init-data': initDataToml === undefined ? null : { format: 'toml', body: initDataToml },
      'runtime-data': data,
      'tee-evidence': { primary_evidence: primary, additional_evidence: additional },
    },
    signal,
  });
  const { token } = readReply(server, response, tokenReplySchema);
  return {
    // As a browser would: a cookie that comes with the reply replaces the one of the challenge.
    cookie: sessionCookie(response) ?? cookie,
    token: checkTokenOnArrival(token, key, { at: guest.clock(), skewSeconds: guest.skewSeconds }),
  };
}

function readReply<T>(server: Server, reply: HttpReply, schema: z.ZodType<T>): T {
  if (reply.status !== 200) throw handshakeRefusal(server, refusalOf(reply));
  return replyJson(server, reply, schema);
}

function sessionCookie({ cookies }: HttpReply): string | undefined {
  return cookies
    .map((cookie) => (cookie.split(';')[0] ?? '').trim())
    .find((pair) => SESSION_COOKIE.test(pair));
}
