import { afterEach, describe, expect, test } from 'vitest';
import { createPeerCheck, type GuardOptions } from '../../../agent/rest/request-guard.ts';
import { createRestFront } from '../../../agent/rest/rest-front.ts';
import { restRole } from '../../../agent/rest/rest-role.ts';
import { type RestLimits, type RestServer, startRestServer } from '../../../agent/rest/rest-server.ts';
import { jsonReply, type RestReply } from '../../../agent/rest/route.ts';
import { systemClock } from '../../../server/clock.ts';
import { send, sendRaw } from '../../harness/http.ts';

const open: RestServer[] = [];
afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async (server) => {
      await server.close(0);
    }),
  );
});

const front = createRestFront({ features: 'all', version: 'x' });

async function start(
  guard: Partial<GuardOptions>,
  options: { readonly limits?: Partial<RestLimits>; readonly front?: typeof front } = {},
): Promise<string> {
  const server = await startRestServer({
    address: { host: '127.0.0.1', port: 0 },
    front,
    guard: { isPeerAllowed: createPeerCheck(), hosts: [], ...guard },
    log: () => undefined,
    ...options,
  });
  open.push(server);
  return `http://127.0.0.1:${server.port}`;
}

describe('from where', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['10.42.0.7', false],
    ['::ffff:10.42.0.7', false],
    ['fe80::1', false],
    ['::', false],
    [undefined, false],
  ])('loopback, unless said: %s', (address, isAllowed) => {
    expect(createPeerCheck()(address)).toBe(isAllowed);
  });

  test('ranges beside it (R6)', () => {
    const check = createPeerCheck(['10.42.0.0/16', 'fd00::/8']);
    expect(['10.42.9.9', 'fd01::1', '10.43.0.1', 'fe80::1', '127.0.0.1'].map(check)).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test.each(['10.42.0.0', '10.42.0.0/33', 'x/8', '10.42/16', ''])('no range: %s', (range) => {
    expect(() => createPeerCheck([range])).toThrow(expect.objectContaining({ code: 'PEER_RANGE_MALFORMED' }));
  });

  test.each(['/info', '/unknown', '/aa/token', '/cdh/resource/a/b/c'])(
    'whoever is not let in gets the same answer for every path: %s',
    async (path) => {
      const url = await start({ isPeerAllowed: () => false });
      const { status, code, text } = await send(url, path);
      expect([status, code, text]).toEqual([403, 'PEER_FORBIDDEN', 'Forbidden']);
    },
  );
});

describe('by which name (R4)', () => {
  test.each([
    ['localhost', 200],
    ['LOCALHOST:8006', 200],
    ['127.0.0.1', 200],
    ['[::1]:8006', 200],
    ['front.pod:80', 200],
    ['evil.example', 403],
    ['evil.example:8006', 403],
    ['localhost.evil.example', 403],
    ['localhost:8006@evil.example', 403],
    ['127.0.0.1.nip.io', 403],
    ['[::1', 403],
    ['', 403],
  ])('host %s: %i', async (host, status) => {
    const url = await start({ hosts: ['Front.pod'] });
    const reply = await sendRaw(url, '/info', { headers: { host } });
    expect([reply.status, reply.code]).toEqual([status, status === 200 ? undefined : 'HOST_FORBIDDEN']);
  });

  test.each([
    ['http://localhost:3000', 200],
    ['https://evil.example', 403],
    ['null', 403],
  ])('origin %s: %i', async (origin, status) => {
    const reply = await sendRaw(await start({}), '/info', { headers: { origin } });
    expect([reply.status, reply.code]).toEqual([status, status === 200 ? undefined : 'ORIGIN_FORBIDDEN']);
  });
});

describe('with an access token (R4, R6)', () => {
  test.each([
    ['the token', 'Bearer right', 200],
    ['none', undefined, 401],
    ['another', 'Bearer wrong', 401],
    ['its beginning', 'Bearer righ', 401],
    ['the token in another scheme', 'Basic right', 401],
  ])('%s', async (_what, authorization, status) => {
    const url = await start({ accessToken: 'right' });
    const reply = await send(url, '/info', authorization === undefined ? {} : { headers: { authorization } });
    expect([reply.status, reply.code]).toEqual([status, status === 200 ? undefined : 'ACCESS_TOKEN_REFUSED']);
  });

  test('without one, nothing beyond loopback is served (R6)', async () => {
    const context = { clock: systemClock, log: { warn: () => undefined, failure: () => undefined } };
    const options = { features: 'all', version: 'x' } as const;
    await expect(restRole({ ...options, bind: '0.0.0.0:0' }).start(context)).rejects.toMatchObject({
      code: 'ADDRESS_NOT_LOOPBACK',
    });
    const bind = '127.0.0.1:0';
    await expect(
      restRole({ ...options, bind, peers: ['10.42.0.0/16'] }).start(context),
    ).rejects.toMatchObject({
      code: 'PEERS_WITHOUT_ACCESS_TOKEN',
    });
  });
});

test('more requests at once than it takes are told to come again (R4)', async () => {
  let release = (): void => undefined;
  const waiting = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = 0;
  const slow = async (): Promise<RestReply> => {
    begun++;
    await waiting;
    return jsonReply({});
  };
  const url = await start({}, { limits: { requestsInFlight: 1 }, front: slow });
  const first = send(url, '/info');
  await expect.poll(() => begun).toBe(1);
  const second = await send(url, '/info');
  expect([second.status, second.code]).toEqual([503, 'OVERLOADED']);
  release();
  expect((await first).status).toBe(200);
  expect((await send(url, '/info')).status).toBe(200);
});

test('whoever hangs up ends what was done for them', async () => {
  const aborted = Promise.withResolvers<boolean>();
  const url = await start(
    {},
    {
      front: async ({ signal }) =>
        await new Promise<never>(() => {
          signal.addEventListener('abort', () => {
            aborted.resolve(true);
          });
        }),
    },
  );
  await expect(fetch(`${url}/info`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
  expect(await aborted.promise).toBe(true);
});
