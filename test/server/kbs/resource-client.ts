import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { LightMyRequestResponse } from 'fastify';
import { type FlattenedJWE, flattenedDecrypt } from 'jose';
import type { FakeKbs, teeKey } from './fake-kbs.ts';
import { attestation, begin, cookieOf, sendAttestation } from './sample-guest.ts';

export const ERROR_TYPE = 'https://github.com/confidential-containers/kbs/errors/';
export const SECRET_PATH = '/kbs/v0/resource/default/test/secret';

type TeeKey = ReturnType<typeof teeKey>;

export function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** The cookie of a session of the sample TEE. */
export async function attestedSession({ app }: FakeKbs, { publicJwk }: TeeKey): Promise<string> {
  const { nonce, cookie } = await begin(app);
  return cookieOf(await sendAttestation(app, cookie, attestation(nonce, publicJwk)));
}

export async function putResource(
  kbs: FakeKbs,
  url: string,
  content: string | Buffer,
): Promise<LightMyRequestResponse> {
  const headers = { 'content-type': 'application/octet-stream', ...bearer(kbs.adminToken()) };
  return await kbs.app.inject({ method: 'POST', url, headers, payload: content });
}

export async function readResource(kbs: FakeKbs, key: TeeKey, url: string): Promise<Buffer> {
  const response = await kbs.app.inject({ url, headers: bearer(kbs.earFor(key.publicJwk)) });
  return Buffer.from((await flattenedDecrypt(response.json<FlattenedJWE>(), key.privateKey)).plaintext);
}

export interface RawReply {
  readonly status: number;
  readonly code: unknown;
  readonly body: string;
}

/** A request whose target reaches the server as it is given: most clients, `inject` too, resolve `..` by themselves. */
export async function rawRequest(
  { app }: FakeKbs,
  target: string,
  { method = 'GET', headers = {} }: { readonly method?: string; readonly headers?: Record<string, string> },
): Promise<RawReply> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path: target, method, headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, code: response.headers['verigo-code'], body });
      }, reject);
    });
    request.end();
  });
}
