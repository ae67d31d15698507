import { once } from 'node:events';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS';
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, as JSON unless `headers` says otherwise. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The header that every refusal carries. */
  readonly code: string | undefined;
  readonly decisionId: string | undefined;
  /** What the body of a refusal says to people; empty for what is no refusal. */
  readonly detail: string;
  json(): unknown;
}

export type RawReply = Pick<HttpReply, 'status' | 'code' | 'text'>;

/** One request. Never throws for a status. */
export async function send(url: string, path: string, request: HttpRequest = {}): Promise<HttpReply> {
  const body = request.json === undefined ? request.body : JSON.stringify(request.json);
  const response = await fetch(`${url}${path}`, {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: headersOf(request, body !== undefined),
    ...(body !== undefined && { body }),
    redirect: 'error',
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    code: response.headers.get('verigo-code') ?? undefined,
    decisionId: response.headers.get('verigo-decision-id') ?? undefined,
    detail: response.ok ? '' : detailOf(text),
    json: () => JSON.parse(text) as unknown,
  };
}

function headersOf({ token, headers }: HttpRequest, hasBody: boolean): Record<string, string> {
  return {
    ...(hasBody && { 'content-type': 'application/json' }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...headers,
  };
}

/** One request with its target as given: `fetch` would resolve `..` and encode what is not a URL. */
export async function sendRaw(
  url: string,
  target: string | Uint8Array,
  request: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const { method = 'GET', headers = {}, body = '' } = request;
  const fields = {
    host: `${hostname}:${port}`,
    connection: 'close',
    'content-length': String(body.length),
    ...headers,
  };
  socket.write(`${method} `);
  socket.write(target);
  socket.write(
    ` HTTP/1.1\r\n${Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n${body}`,
  );
  return parseReply(await readText(socket));
}

/** A request that is on its way: its head and the first half of its body have been sent. */
export interface SlowRequest {
  /** Sends the rest. */
  finish(): Promise<RawReply>;
  /** Hangs up. */
  abandon(): void;
}

/** Begins a request and resolves once the server has its head. */
export async function beginRequest(url: string, path: string, json: unknown): Promise<SlowRequest> {
  const { hostname, port } = new URL(url);
  const body = Buffer.from(JSON.stringify(json));
  const half = Math.floor(body.length / 2);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${body.length}`,
    'expect: 100-continue', // so that the server says when it has read the head
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  if (!first.toString().startsWith('HTTP/1.1 100')) {
    throw new Error(`expected the server to take the request, got ${first.toString()}`);
  }
  socket.write(body.subarray(0, half));
  return {
    async finish() {
      socket.write(body.subarray(half));
      return parseReply(await readText(socket));
    },
    abandon() {
      socket.destroy();
    },
  };
}

function parseReply(reply: string): RawReply {
  const end = reply.indexOf('\r\n\r\n');
  const head = reply.slice(0, end);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]),
    code: /^verigo-code: (.*)$/im.exec(head)?.[1],
    text: reply.slice(end + 4),
  };
}

function detailOf(text: string): string {
  return text.startsWith('{') ? (JSON.parse(text) as { detail: string }).detail : '';
}
