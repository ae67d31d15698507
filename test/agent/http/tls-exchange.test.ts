import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EndpointTrust } from '../../../agent/http/endpoint-trust.ts';
import type { HttpExchange, HttpReply } from '../../../agent/http/exchange.ts';
import { createFetchExchange } from '../../../agent/http/fetch-exchange.ts';
import { createTlsExchange } from '../../../agent/http/tls-exchange.ts';
import { createFakeAuthority, type FakeAuthority, type FakeServerCertificate } from '../../fakes/fake-tls.ts';
import { type Script, type ScriptedServer, startScriptedServer } from '../../fakes/scripted-server.ts';

const SECRET = new TextEncoder().encode('evidence and tokens');
let authority: FakeAuthority;
let certificate: FakeServerCertificate;
const open: ScriptedServer[] = [];

beforeAll(async () => {
  authority = await createFakeAuthority();
  certificate = await authority.issue();
});
afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async (server) => {
      await server.close();
    }),
  );
});

async function start(script: Script, tls?: FakeServerCertificate, port = 0): Promise<ScriptedServer> {
  const server = await startScriptedServer(script, { port, ...(tls !== undefined && { tls }) });
  open.push(server);
  return server;
}

async function post(exchange: HttpExchange, url: string, milliseconds = 5000): Promise<HttpReply> {
  return await exchange({
    method: 'POST',
    url: `${url}/path?query`,
    headers: { 'content-type': 'text/plain', 'user-agent': 'guest' },
    body: SECRET,
    maxReplyBytes: 1000,
    signal: AbortSignal.timeout(milliseconds),
  });
}

describe.each([
  ['our own connections', createTlsExchange()],
  ['the runtime’s fetch', createFetchExchange(fetch)],
])('by %s', (_name, exchange) => {
  test('a request arrives as it was sent, and its reply whatever its status', async () => {
    const server = await start(() => ({
      status: 418,
      headers: { 'content-type': 'text/plain', 'set-cookie': 'a=b; Path=/', 'verigo-code': 'TEAPOT' },
      body: 'no',
    }));
    const reply = await post(exchange, server.url);
    expect(server.seen).toMatchObject([
      {
        method: 'POST',
        path: '/path?query',
        text: 'evidence and tokens',
        headers: { 'user-agent': 'guest' },
      },
    ]);
    expect(reply).toMatchObject({ status: 418, cookies: ['a=b; Path=/'] });
    expect(Buffer.from(reply.bytes).toString()).toBe('no');
    expect([reply.header('verigo-code'), reply.header('absent')]).toEqual(['TEAPOT', undefined]);
  });

  test.each([
    ['a redirect', 'REDIRECT_REFUSED', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
    ['a redirect without a target', 'REDIRECT_REFUSED', { status: 301 }],
    ['a reply that is too long', 'REPLY_TOO_LARGE', { body: 'a'.repeat(1001) }],
    ['a broken connection', 'SERVER_UNREACHABLE', { breaks: true }],
  ])('%s is %s', async (_what, code, reply) => {
    const server = await start(() => reply);
    await expect(post(exchange, server.url)).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(1);
  });

  test('a server that says nothing is left when the time is over', async () => {
    const server = await start(() => ({ hangs: true }));
    await expect(post(exchange, server.url, 100)).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
  });

  test('a server that is down, or does not speak HTTP', async () => {
    const server = await start(() => ({}));
    await server.close();
    open.splice(0);
    await expect(post(exchange, server.url)).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
    const secure = await start(() => ({}), certificate);
    await expect(post(exchange, secure.url.replace('https:', 'http:'))).rejects.toMatchObject({
      code: 'SERVER_UNREACHABLE',
    });
  });
});

describe('whom we believe', () => {
  const trusts: readonly (readonly [string, () => EndpointTrust])[] = [
    ['our CA beside the system’s', () => ({ ca: { mode: 'add', pem: authority.pem } })],
    ['our CA alone (K1)', () => ({ ca: { mode: 'only', pem: authority.pem } })],
    ['our CA and the key', () => ({ ca: { mode: 'only', pem: authority.pem }, pins: [certificate.pin] })],
    [
      'one of several keys',
      () => ({
        ca: { mode: 'only', pem: authority.pem },
        pins: [`sha256/${Buffer.alloc(32).toString('base64')}`, certificate.pin],
      }),
    ],
  ];
  test.each(trusts)('%s', async (_name, trust) => {
    const server = await start(() => ({ body: 'yes' }), certificate);
    expect((await post(createTlsExchange(trust()), server.url)).status).toBe(200);
  });

  test.each<[string, string, () => Promise<EndpointTrust>, () => Promise<FakeServerCertificate>]>([
    ['an authority that only we know', 'CERTIFICATE_UNTRUSTED', async () => ({}), async () => certificate],
    [
      'an authority that is not the only one',
      'CERTIFICATE_UNTRUSTED',
      async () => ({ ca: { mode: 'only', pem: (await createFakeAuthority('Other')).pem } }),
      async () => certificate,
    ],
    [
      'an authority of the same name with another key',
      'CERTIFICATE_UNTRUSTED',
      async () => ({ ca: { mode: 'only', pem: (await createFakeAuthority()).pem } }),
      async () => certificate,
    ],
    [
      'a certificate for another address',
      'CERTIFICATE_UNTRUSTED',
      async () => ({ ca: { mode: 'only', pem: authority.pem } }),
      async () => await authority.issue({ name: '127.0.0.2' }),
    ],
    [
      'a certificate that has expired',
      'CERTIFICATE_UNTRUSTED',
      async () => ({ ca: { mode: 'only', pem: authority.pem } }),
      async () => await authority.issue({ notAfter: new Date('2021-01-01T00:00:00Z') }),
    ],
    [
      'another key than the pinned one, by the same authority',
      'PIN_MISMATCH',
      async () => ({ ca: { mode: 'only', pem: authority.pem }, pins: [certificate.pin] }),
      async () => await authority.issue(),
    ],
    [
      'the pinned key by an authority that we do not believe',
      'CERTIFICATE_UNTRUSTED',
      async () => ({ pins: [certificate.pin] }),
      async () => certificate,
    ],
  ])('%s: %s, and nothing is sent', async (_what, code, trust, issue) => {
    const server = await start(() => ({}), await issue());
    await expect(post(createTlsExchange(await trust()), server.url)).rejects.toMatchObject({
      code,
      isTransient: false,
    });
    expect(server.seen).toEqual([]);
    expect(server.connections()).toBeGreaterThan(0);
  });

  test('a server that changes its key is noticed on the next connection, TLS sessions or not', async () => {
    const exchange = createTlsExchange({ ca: { mode: 'only', pem: authority.pem }, pins: [certificate.pin] });
    const first = await start(() => ({}), certificate);
    expect((await post(exchange, first.url)).status).toBe(200);
    await first.close();
    open.splice(0);
    const second = await start(() => ({}), await authority.issue(), Number(new URL(first.url).port));
    // The first may fail on the connection that the pool has kept; it sends nothing to the new server either.
    await expect(post(exchange, second.url)).rejects.toThrow();
    await expect(post(exchange, second.url)).rejects.toMatchObject({ code: 'PIN_MISMATCH' });
    expect(second.seen).toEqual([]);
  });
});
