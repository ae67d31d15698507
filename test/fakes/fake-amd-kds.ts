import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PRODUCT_LINES } from '../../server/verifiers/snp/product.ts';
import type { FakeAmd } from './fake-amd.ts';
import type { FakeEndorsementOptions, FakeListOptions } from './fake-amd-certificates.ts';

/** How the service answers: as it should, with a status, or badly. */
export type FakeKdsMood = 'well' | 'slow' | 'huge' | 'redirect' | 'garbage' | 'hangs-up' | 404 | 429 | 500;

export interface FakeKds {
  readonly url: string;
  /** Every path that was asked for, in order. */
  readonly requests: readonly string[];
  /** For all requests, or only for the first so many. */
  mood(mood: FakeKdsMood, times?: number): void;
  /** What is to be wrong about the certificates and lists that it hands out. */
  certificates(options: FakeEndorsementOptions): void;
  lists(options: FakeListOptions): void;
  retryAfter(seconds: string): void;
  close(): Promise<void>;
}

const SPL = {
  fmc: 'fmcSPL',
  bootloader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
} as const;

/** AMD's key service on loopback, over HTTP, for the chips of a fake AMD. */
export async function startFakeKds(amd: FakeAmd): Promise<FakeKds> {
  const requests: string[] = [];
  let mood: FakeKdsMood = 'well';
  let moodLeft = Number.POSITIVE_INFINITY;
  let endorsement: FakeEndorsementOptions = {};
  let list: FakeListOptions = {};
  let retryAfter: string | undefined;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://kds.invalid');
    requests.push(`${url.pathname}${url.search}`);
    const now = moodLeft-- > 0 ? mood : 'well';
    if (now !== 'well') {
      misbehave(now, request, response, retryAfter);
      return;
    }
    const body = await bodyFor(amd, url, endorsement, list);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/octet-stream' });
    response.end(body);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    mood: (next, times = Number.POSITIVE_INFINITY) => {
      mood = next;
      moodLeft = times;
    },
    certificates: (options) => {
      endorsement = options;
    },
    lists: (options) => {
      list = options;
    },
    retryAfter: (seconds) => {
      retryAfter = seconds;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `/vcek/v1/{product}/crl` and `/vcek/v1/{product}/{hardware id}?blSPL=…`. */
async function bodyFor(
  amd: FakeAmd,
  url: URL,
  endorsement: FakeEndorsementOptions,
  list: FakeListOptions,
): Promise<Uint8Array | undefined> {
  const [, , , line, id = ''] = url.pathname.split('/');
  const product = PRODUCT_LINES.find((each) => each === line);
  if (!url.pathname.startsWith('/vcek/v1/') || product === undefined) return undefined;
  if (id === 'crl') return await amd.revocationList(product, list);
  const spl = (name: string): number => Number.parseInt(url.searchParams.get(name) ?? '', 10);
  const idBytes = product === 'Turin' ? 8 : 64;
  if (id.length !== 2 * idBytes) return undefined;
  const chipId = new Uint8Array(64);
  chipId.set(Buffer.from(id, 'hex'));
  const tcb = {
    fmc: product === 'Turin' ? spl(SPL.fmc) : null,
    bootloader: spl(SPL.bootloader),
    tee: spl(SPL.tee),
    snp: spl(SPL.snp),
    microcode: spl(SPL.microcode),
  };
  if (!amd.knows(product, Buffer.from(chipId).toString('hex'), tcb)) return undefined;
  return await amd.vcek(product, chipId, tcb, endorsement);
}

function misbehave(
  mood: Exclude<FakeKdsMood, 'well'>,
  request: IncomingMessage,
  response: ServerResponse,
  retryAfter: string | undefined,
): void {
  switch (mood) {
    case 'slow':
      // Headers come, the body never does.
      response.writeHead(200).flushHeaders();
      return;
    case 'huge':
      response.writeHead(200);
      response.end(new Uint8Array(4 << 20));
      return;
    case 'redirect':
      response.writeHead(302, { location: request.url }).end();
      return;
    case 'garbage':
      response.writeHead(200).end('<html>maintenance</html>');
      return;
    case 'hangs-up':
      request.socket.destroy();
      return;
    case 404:
    case 429:
    case 500:
      response.writeHead(mood, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end();
  }
}
