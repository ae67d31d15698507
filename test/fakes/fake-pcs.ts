import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the service answers: as it should, with a status, or badly. */
export type FakePcsMood =
  | 'well'
  | 'slow'
  | 'huge'
  | 'redirect'
  | 'garbage'
  | 'bad-chain'
  | 'no-chain'
  | 'hangs-up'
  | 404
  | 410
  | 429
  | 500
  | 503;

/** What the service hands out. Bodies are given: it signs nothing and knows no certificates. */
export interface FakePcsContent {
  /** By `<sgx or tdx>/<fmspc>`, or that with `/early` or `/<number>` for one selection alone; the body as it is to be sent. */
  readonly tcbInfos?: Readonly<Record<string, string>>;
  /** By `sgx`, `tdx`, or that with `/early` or `/<number>`. */
  readonly qeIdentities?: Readonly<Record<string, string>>;
  /** DER, by `platform`, `processor`, `root`. */
  readonly revocationLists?: Readonly<Record<string, Uint8Array>>;
  /** PEM of what signed the documents, and of what signed the list of each PCK CA. */
  readonly signingChain?: string;
  readonly pckChains?: Readonly<Record<string, string>>;
}

export interface FakePcs {
  readonly url: string;
  /** Every path with its query that was asked for, in order. */
  readonly requests: readonly string[];
  /** How often a path that contains this was asked for. */
  count(part: string): number;
  /** For all requests, or only for the first so many. */
  mood(mood: FakePcsMood, times?: number): void;
  /** A mood for the paths that contain this. */
  moodOf(part: string, mood: FakePcsMood): void;
  content(content: FakePcsContent): void;
  retryAfter(value: string): void;
  /** Answers 401 to whoever does not send this key. */
  requireKey(key: string): void;
  /** As Intel's caching service sends lists. */
  listsAs(form: 'der' | 'hex'): void;
  close(): Promise<void>;
}

const PATH = /^\/(?:[a-z-]+\/)?(sgx|tdx)\/certification\/v([34])\/(tcb|qe\/identity|pckcrl|rootcacrl)$/;

interface Answer {
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Intel's provisioning certification service, or a caching service in its place, on loopback over HTTP. */
export async function startFakePcs(initial: FakePcsContent = {}): Promise<FakePcs> {
  const requests: string[] = [];
  const moodsOf = new Map<string, FakePcsMood>();
  const state = {
    content: initial,
    mood: 'well' as FakePcsMood,
    moodLeft: Number.POSITIVE_INFINITY,
    retryAfter: undefined as string | undefined,
    key: undefined as string | undefined,
    listForm: 'der' as 'der' | 'hex',
  };

  function moodFor(path: string): FakePcsMood {
    const own = [...moodsOf].find(([part]) => path.includes(part))?.[1];
    if (own !== undefined) return own;
    return state.moodLeft-- > 0 ? state.mood : 'well';
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://pcs.invalid');
    const path = `${url.pathname}${url.search}`;
    requests.push(path);
    const mood = moodFor(path);
    if (state.key !== undefined && request.headers['ocp-apim-subscription-key'] !== state.key) {
      response.writeHead(401).end();
      return;
    }
    if (mood !== 'well' && mood !== 'no-chain' && mood !== 'bad-chain') {
      misbehave(mood, request, response, state.retryAfter);
      return;
    }
    const answer = answerTo(url, state.content, state.listForm);
    if (answer === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, headersIn(mood, answer.headers));
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    count: (part) => requests.filter((path) => path.includes(part)).length,
    mood: (mood, times = Number.POSITIVE_INFINITY) => {
      state.mood = mood;
      state.moodLeft = times;
    },
    moodOf: (part, mood) => {
      moodsOf.set(part, mood);
    },
    content: (content) => {
      state.content = content;
    },
    retryAfter: (value) => {
      state.retryAfter = value;
    },
    requireKey: (key) => {
      state.key = key;
    },
    listsAs: (form) => {
      state.listForm = form;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerTo(url: URL, content: FakePcsContent, listForm: 'der' | 'hex'): Answer | undefined {
  const [, tee = '', version, resource = ''] = PATH.exec(url.pathname) ?? [];
  // Version 3 knows no trust domains.
  if (version === '3' && tee === 'tdx') return undefined;
  const query = (name: string): string => url.searchParams.get(name) ?? '';
  if (resource.endsWith('crl')) return listAnswer(resource, query('ca'), content, listForm);
  const chain = encodeURIComponent(content.signingChain ?? '');
  const selection = [query('tcbEvaluationDataNumber'), query('update'), 'standard'].find(
    (each) => each !== '',
  );
  if (resource === 'qe/identity') {
    const body = selected(content.qeIdentities, tee, selection);
    return withHeaders(body, { 'SGX-Enclave-Identity-Issuer-Chain': chain });
  }
  const name = version === '3' ? 'SGX-TCB-Info-Issuer-Chain' : 'TCB-Info-Issuer-Chain';
  const body = selected(content.tcbInfos, `${tee}/${query('fmspc')}`, selection);
  return withHeaders(body, { [name]: chain });
}

function listAnswer(
  resource: string,
  ca: string,
  { revocationLists, pckChains }: FakePcsContent,
  form: 'der' | 'hex',
): Answer | undefined {
  if (resource === 'rootcacrl') return withHeaders(inForm(revocationLists?.['root'], form), {});
  const chain = encodeURIComponent(pckChains?.[ca] ?? '');
  return withHeaders(inForm(revocationLists?.[ca], form), { 'SGX-PCK-CRL-Issuer-Chain': chain });
}

function selected(
  bodies: FakePcsContent['tcbInfos'],
  key: string,
  selection = 'standard',
): string | undefined {
  return bodies?.[`${key}/${selection}`] ?? bodies?.[key];
}

function inForm(der: Uint8Array | undefined, form: 'der' | 'hex'): string | Uint8Array | undefined {
  return der === undefined || form === 'der' ? der : Buffer.from(der).toString('hex');
}

function headersIn(mood: FakePcsMood, headers: Answer['headers']): Answer['headers'] {
  if (mood === 'no-chain') return {};
  return mood === 'bad-chain'
    ? Object.fromEntries(Object.keys(headers).map((name) => [name, '%zz']))
    : headers;
}

function withHeaders(
  body: string | Uint8Array | undefined,
  headers: Readonly<Record<string, string>>,
): Answer | undefined {
  return body === undefined ? undefined : { body, headers };
}

function misbehave(
  mood: Exclude<FakePcsMood, 'well' | 'no-chain' | 'bad-chain'>,
  request: IncomingMessage,
  response: ServerResponse,
  retryAfter: string | undefined,
): void {
  if (typeof mood === 'number') {
    response.writeHead(mood, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end();
    return;
  }
  switch (mood) {
    case 'slow':
      // Headers come, the body never does.
      response.writeHead(200).flushHeaders();
      return;
    case 'huge':
      response.writeHead(200);
      response.end(new Uint8Array(8 << 20));
      return;
    case 'redirect':
      response.writeHead(302, { location: request.url }).end();
      return;
    case 'garbage':
      response.writeHead(200).end('<html>maintenance</html>');
      return;
    case 'hangs-up':
      request.socket.destroy();
  }
}
