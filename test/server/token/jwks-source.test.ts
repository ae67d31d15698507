import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RemoteKeysOptions, remoteKeys } from '../../../server/token/jwks-source.ts';
import { AT, fakeIssuer } from './fake-issuer.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const oldKey = fakeIssuer('ES256', 'old').publicJwk;
const newKey = fakeIssuer('ES256', 'new').publicJwk;

let server: Server;
let base: string;
let requests: string[];
let handle: Handler;

beforeEach(async () => {
  requests = [];
  handle = keySet(oldKey);
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const json =
  (value: unknown): Handler =>
  (_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(value));
  };
const keySet = (...keys: unknown[]): Handler => json({ keys });
const at = (seconds: number): Date => new Date(AT.getTime() + seconds * 1000);
const hint = (keyId: string) => ({ keyId, jwk: undefined });
const source = (options: Partial<RemoteKeysOptions> = {}) =>
  remoteKeys({ kind: 'jwks', url: `${base}/keys`, issuer: base, fetch, timeoutMs: 300, ...options });

describe('remoteKeys', () => {
  it('fetches once for many', async () => {
    const keys = source();
    await Promise.all(Array.from({ length: 50 }, async () => await keys.candidates(hint('old'), AT)));
    await keys.candidates(hint('old'), at(100));
    expect(requests).toEqual(['/keys']);
  });

  it('hears of a new key when a token names it', async () => {
    const keys = source();
    await keys.candidates(hint('old'), AT);
    handle = keySet(oldKey, newKey);
    await expect(keys.candidates(hint('new'), at(20))).resolves.toMatchObject([{ keyId: 'new' }]);
    expect(requests).toHaveLength(2);
  });

  it('does not let unknown key ids become requests', async () => {
    const keys = source();
    await keys.candidates(hint('old'), AT);
    for (let index = 0; index < 20; index++) {
      await expect(keys.candidates(hint(`no ${index}`), at(20 + index / 10))).rejects.toMatchObject({
        code: 'TOKEN_KEY_UNKNOWN',
      });
    }
    expect(requests).toHaveLength(2);
  });

  it('gives up a key that is no longer published', async () => {
    const keys = source();
    await keys.candidates(hint('old'), AT);
    handle = keySet(newKey);
    await expect(keys.candidates(hint('old'), at(301))).rejects.toMatchObject({ code: 'TOKEN_KEY_UNKNOWN' });
  });

  it('refreshes in the background before the keys grow old', async () => {
    const keys = source();
    await keys.candidates(hint('old'), AT);
    await keys.candidates(hint('old'), at(250));
    await expect.poll(() => requests.length).toBe(2);
  });

  it('serves the last good keys while the issuer is down, but not for ever', async () => {
    const keys = source();
    await keys.candidates(hint('old'), AT);
    handle = (_request, response) => response.writeHead(500).end();
    await expect(keys.candidates(hint('old'), at(400))).resolves.toHaveLength(1);
    await expect(keys.candidates(hint('new'), at(420))).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
    await expect(keys.candidates(hint('old'), at(3900))).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
    handle = keySet(oldKey);
    await expect(keys.candidates(hint('old'), at(3920))).resolves.toHaveLength(1);
  });

  it.each<[string, Handler]>([
    ['status 404', (_request, response) => response.writeHead(404).end()],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/other' }).end()],
    ['no JSON', (_request, response) => response.end('<html>')],
    ['JSON that is no key set', json({ keys: 'x' })],
    ['no usable key', keySet({ kty: 'oct', k: 'AA' })],
    ['duplicate members', (_request, response) => response.end('{"keys":[],"keys":[]}')],
    ['a giant', (_request, response) => response.end(Buffer.alloc(300_000, 0x20))],
    ['silence', () => undefined],
    ['a body without end', (_request, response) => void response.write('{"keys":[')],
    ['a closed connection', (request) => request.socket.destroy()],
  ])('could not check when the issuer answers with %s', async (_what, handler) => {
    handle = handler;
    await expect(source().candidates(hint('old'), AT)).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
    expect(requests).toEqual(['/keys']);
  });

  it.each([
    ['http://issuer.example/keys'],
    ['ftp://issuer.example/'],
    ['file:///keys'],
    ['https://u:p@issuer.example/'],
    ['keys'],
  ])('refuses to be configured with %s', (url) => {
    expect(() => source({ url })).toThrow(expect.objectContaining({ code: 'KEY_SOURCE_INVALID' }) as Error);
  });

  it('takes plain http only when told so at length', () => {
    expect(() => source({ url: 'http://issuer.example/', dangerouslyAllowPlainHttp: true })).not.toThrow();
  });
});

describe('OpenID Connect Discovery', () => {
  const discovered =
    (document: (base: string) => unknown): Handler =>
    (request, response) => {
      const isDocument = request.url?.endsWith('/.well-known/openid-configuration') === true;
      (isDocument ? json(document(base)) : keySet(oldKey))(request, response);
    };

  it.each([
    ['', '/.well-known/openid-configuration'],
    ['/', '/.well-known/openid-configuration'],
    ['/deep/path', '/deep/path/.well-known/openid-configuration'],
    ['/deep/path/', '/deep/path/.well-known/openid-configuration'],
  ])('finds the keys of an issuer at "%s"', async (path, expected) => {
    handle = discovered((url) => ({ issuer: url, jwks_uri: `${url}/the-keys` }));
    const keys = source({ kind: 'discovery', url: base + path });
    await expect(keys.candidates(hint('old'), AT)).resolves.toHaveLength(1);
    expect(requests).toEqual([expected, '/the-keys']);
  });

  it.each<[string, (url: string) => unknown]>([
    ['of another issuer', (url) => ({ issuer: 'https://else.example', jwks_uri: `${url}/keys` })],
    ['without keys', (url) => ({ issuer: url })],
    ['that leads to plain http', (url) => ({ issuer: url, jwks_uri: 'http://169.254.169.254/keys' })],
    ['that leads to a file', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' })],
  ])('could not check with a document %s', async (_what, document) => {
    handle = discovered(document);
    await expect(source({ kind: 'discovery', url: base }).candidates(hint('old'), AT)).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
  });
});
