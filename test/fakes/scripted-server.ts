import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { FakeServerCertificate } from './fake-tls.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface ScriptedReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sends nothing, ever. */
  readonly hangs?: boolean;
  /** Breaks the connection instead. */
  readonly breaks?: boolean;
}

export type Script = (request: SeenRequest, count: number) => ScriptedReply | Promise<ScriptedReply>;

/** A server on loopback that answers what a test tells it to. */
export interface ScriptedServer {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** Connections that were accepted, whether anything was asked on them or not. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export async function startScriptedServer(
  script: Script,
  options: { readonly tls?: FakeServerCertificate; readonly port?: number } = {},
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  let connections = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const bytes = await buffer(request);
    const { method = '', url = '', headers } = request;
    const asked = { method, path: url, headers, text: bytes.toString(), bytes };
    seen.push(asked);
    const reply = await script(asked, seen.length);
    if (reply.hangs === true) return;
    if (reply.breaks === true) request.socket.destroy();
    else response.writeHead(reply.status ?? 200, reply.headers).end(reply.body);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch(() => request.socket.destroy());
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createHttpServer(listener)
      : createHttpsServer({ cert: tls.certificate, key: tls.privateKey }, listener);
  server.on('connection', () => connections++);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    connections: () => connections,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function json(
  body: object,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): ScriptedReply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** A refusal as upstream's key broker writes it: without a content type. */
export function kbsRefusal(type: string, status = 401): ScriptedReply {
  return {
    status,
    body: JSON.stringify({
      type: `https://github.com/confidential-containers/kbs/errors/${type}`,
      detail: 'no',
    }),
  };
}
