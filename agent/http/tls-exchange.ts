import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AgentOptions, RequestOptions } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import { sha256 } from '../../server/bytes/byte-strings.ts';
import { toBase64 } from '../../server/bytes/encoding.ts';
import { ClientError } from '../client-error.ts';
import { BoundedBytes } from './bounded-bytes.ts';
import { type CheckedTrust, checkTrust, type EndpointTrust } from './endpoint-trust.ts';
import type { HttpExchange, HttpReply, HttpRequest } from './exchange.ts';
import { hostOf, redirectRefused, unreachable } from './exchange-failure.ts';

const IDLE_MILLISECONDS = 15_000;
const MAX_SOCKETS = 8;
/** OpenSSL's words for a chain that leads to no authority of ours, or whose dates or names are wrong. */
const CERTIFICATE_ERROR =
  /^(?:CERT_|CRL_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH)/;

type Send = (request: HttpRequest) => Promise<IncomingMessage>;

/**
 * Requests by Node's own https, with an endpoint's own authorities and pins: the global fetch knows neither, and costs a
 * guest 16 MB of memory. TLS sessions are not resumed, because a resumed one shows no certificate: every
 * connection is checked, and nothing is sent on one that is not the server's. Throws EndpointError when the trust is not
 * usable.
 */
export function createTlsExchange(trust: EndpointTrust = {}): HttpExchange {
  const checked = checkTrust(trust);
  let sender: Promise<Send> | undefined;
  return async (request) => {
    sender ??= createSender(checked);
    try {
      return await readReply(await (await sender)(request), request);
    } catch (cause) {
      throw failureOf(cause, request);
    }
  };
}

/** Loaded with the first request, so that an agent that waits has not paid for it. */
async function createSender(trust: CheckedTrust): Promise<Send> {
  const [http, https, tls] = await Promise.all([
    import('node:http'),
    import('node:https'),
    import('node:tls'),
  ]);
  const pool: AgentOptions = { keepAlive: true, timeout: IDLE_MILLISECONDS, maxSockets: MAX_SOCKETS };
  const plain = new http.Agent(pool);
  const secure = new https.Agent({
    ...pool,
    maxCachedSessions: 0,
    minVersion: 'TLSv1.2',
    ...authoritiesOf(trust, () => tls.getCACertificates('default')),
    checkServerIdentity: (host, certificate) =>
      tls.checkServerIdentity(host, certificate) ?? checkPin(host, certificate, trust),
  });
  return async ({ url, method, headers, body, signal }) =>
    await new Promise((resolve, reject) => {
      const options: RequestOptions = { method, headers: { ...headers }, signal };
      const request = url.startsWith('https:')
        ? https.request(url, { ...options, agent: secure })
        : http.request(url, { ...options, agent: plain });
      request.on('response', resolve).on('error', reject).end(body);
    });
}

function authoritiesOf(
  { authorities, isSystemTrusted }: CheckedTrust,
  systemAuthorities: () => readonly string[],
): { readonly ca?: string[] } {
  if (authorities.length === 0) return {};
  return { ca: [...(isSystemTrusted ? systemAuthorities() : []), ...authorities] };
}

/** The server's own key: an authority's would let that authority name another server. */
function checkPin(
  host: string,
  certificate: PeerCertificate,
  { pinnedKeys }: CheckedTrust,
): Error | undefined {
  if (pinnedKeys === undefined || pinnedKeys.has(pinOf(certificate))) return undefined;
  return new ClientError(
    'PIN_MISMATCH',
    `expected ${host} to hold one of ${pinnedKeys.size} pinned keys, got another: nothing was sent to it`,
  );
}

/** SHA-256 of the SubjectPublicKeyInfo, base64 (RFC 7469, section 2.4). */
function pinOf({ raw }: PeerCertificate): string {
  return toBase64(sha256(new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' })));
}

async function readReply(message: IncomingMessage, request: HttpRequest): Promise<HttpReply> {
  const { statusCode: status = 0, headers } = message;
  if (status >= 300 && status < 400) {
    message.destroy();
    throw redirectRefused(request);
  }
  const bytes = new BoundedBytes(request.maxReplyBytes);
  for await (const chunk of message as AsyncIterable<Uint8Array>) bytes.add(chunk); // leaving the loop ends the message
  return {
    status,
    header(name) {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    cookies: headers['set-cookie'] ?? [],
    bytes: bytes.whole(),
  };
}

function failureOf(cause: unknown, request: HttpRequest): ClientError {
  if (cause instanceof ClientError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!CERTIFICATE_ERROR.test(code)) return unreachable(request, cause);
  return new ClientError(
    'CERTIFICATE_UNTRUSTED',
    `expected ${hostOf(request.url)} to prove its name by an authority that we trust, got ${code}: nothing was sent to it`,
    { cause },
  );
}
