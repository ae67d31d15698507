import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseUnixAddress, type UnixAddress } from '../../../../agent/rpc/address.ts';
import { createRpcClient, type RpcClient, type RpcTransport } from '../../../../agent/rpc/client.ts';
import { deadlineIn } from '../../../../agent/rpc/deadline.ts';
import { GetResourceService } from '../../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { RpcError } from '../../../../agent/rpc/rpc-error.ts';
import { ByteBudget } from '../../../../agent/rpc/ttrpc/byte-budget.ts';
import { ClientConnection } from '../../../../agent/rpc/ttrpc/client-connection.ts';
import { startTtrpcServer, type TtrpcServer } from '../../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { field, numberField, type RawFrame, rawFrame, rawPeer } from '../../../harness/raw-ttrpc.ts';
import {
  nothingSeen,
  RESOURCE_SERVICE,
  resourceService,
  socketFolder,
} from '../../../harness/resource-service.ts';

let address: UnixAddress;
let remove: () => Promise<void>;
let transport: RpcTransport;
let client: RpcClient<typeof GetResourceService>;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  ({ address, remove } = await socketFolder());
  transport = createTtrpcTransport(address, { stallMilliseconds: 200, maxBytes: 8 << 20 });
  client = createRpcClient(GetResourceService, transport, 5_000);
});

afterEach(async () => {
  transport.close();
  for (const close of closers.splice(0)) await close();
  await remove();
});

async function serve(seen = nothingSeen()): Promise<TtrpcServer> {
  const server = await startTtrpcServer({
    address,
    services: [resourceService(seen)],
    log: () => undefined,
  });
  closers.push(async () => {
    await server.close(0);
  });
  return server;
}

/** A server made of bytes: what it answers to each frame. */
async function serveRaw(answer: (frame: RawFrame, socket: Socket) => void): Promise<Server> {
  await mkdir(dirname(address.path), { recursive: true });
  const server = createServer((socket) => {
    const peer = rawPeer(socket);
    closers.push(async () => {
      socket.destroy();
    });
    void (async () => {
      for (let frame = await peer.frame(); frame !== undefined; frame = await peer.frame()) {
        answer(frame, socket);
      }
    })();
  });
  server.listen(address.path);
  await once(server, 'listening');
  closers.push(async () => {
    server.close();
  });
  return server;
}

async function ask(path: string): Promise<string> {
  return Buffer.from((await client.getResource({ resourcePath: path })).resource).toString('hex');
}

describe('a call', () => {
  it('says what upstream’s clients say', async () => {
    const frames: RawFrame[] = [];
    await serveRaw((frame, socket) => {
      frames.push(frame);
      socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
    });

    expect(await ask('size 3')).toBe(Buffer.from('abc').toString('hex'));
    await ask('size 3');

    expect(frames.map(({ streamId, type, flags }) => [streamId, type, flags])).toEqual([
      [1, 1, 0],
      [3, 1, 0],
    ]);
    const recorded =
      '0a16 6170692e4765745265736f7572636553657276696365 120b 4765745265736f75726365 1a08 0a06 73697a652033 20';
    expect(frames[0]!.payload.toString('hex')).toMatch(new RegExp(`^${recorded.replaceAll(' ', '')}`));
    let nanoseconds = 0n;
    for (const byte of [...frames[0]!.payload.subarray(48)].reverse()) {
      nanoseconds = (nanoseconds << 7n) | BigInt(byte & 0x7f);
    }
    expect(nanoseconds).toBeLessThanOrEqual(5_000_000_000n);
    expect(nanoseconds).toBeGreaterThan(4_000_000_000n);
  });

  it('gets its own answer among 100 at a time', async () => {
    await serve();
    const waits = Array.from({ length: 100 }, () => Math.floor(Math.random() * 60));

    const answers = await Promise.all(waits.map(async (wait) => await ask(`wait ${wait}`)));

    expect(answers).toEqual(waits.map((wait) => Buffer.from(`${wait}`).toString('hex')));
  });

  it('reaches a server of an abstract name', async () => {
    const name = parseUnixAddress(`unix://@verigo-test-${process.pid}`);
    const server = await startTtrpcServer({
      address: name,
      services: [resourceService(nothingSeen())],
      log: () => undefined,
    });
    const abstract = createTtrpcTransport(name);
    try {
      const { resource } = await createRpcClient(GetResourceService, abstract, 5_000).getResource({
        resourcePath: 'size 2',
      });
      expect(resource).toHaveLength(2);
      await expect(
        startTtrpcServer({ address: name, services: [], log: () => undefined }),
      ).rejects.toMatchObject({ code: 'SOCKET_IN_USE' });
    } finally {
      abstract.close();
      await server.close(0);
    }
  });

  it.each([
    ['refuse', 'PERMISSION_DENIED'],
    ['break', 'INTERNAL'],
    ['size 4194304', 'RESOURCE_EXHAUSTED'],
  ])('of %j fails with %s', async (path, code) => {
    await serve();

    const call = client.getResource({ resourcePath: path });

    await expect(call).rejects.toBeInstanceOf(RpcError);
    await expect(call).rejects.toMatchObject({ code });
  });

  it('of more than 4 MiB is INVALID_ARGUMENT and not sent', async () => {
    const seen = nothingSeen();
    await serve(seen);

    await expect(ask('x'.repeat(4 << 20))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });

    expect(await ask('size 1')).toBe('07');
    expect(seen.contexts).toHaveLength(1);
  });

  it('for which there is no memory is RESOURCE_EXHAUSTED', async () => {
    await serveRaw((_frame, socket) => socket.pause());
    const big = 'x'.repeat(3 << 20);

    const calls = [ask(big), ask(big), ask(big)].map(async (call) => await call.catch((e: unknown) => e));

    expect(await calls[2]).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });
});

describe('an answer', () => {
  it.each([
    ['of another type', 'INTERNAL', (id: number) => rawFrame(id, 1, Buffer.alloc(0))],
    ['of a stream of data', 'INTERNAL', (id: number) => rawFrame(id, 3, Buffer.alloc(0))],
    ['with flags', 'INTERNAL', (id: number) => rawFrame(id, 2, Buffer.alloc(0), 2)],
    ['that is no envelope', 'INTERNAL', (id: number) => rawFrame(id, 2, Buffer.from([7]))],
    ['that is no message', 'INTERNAL', (id: number) => rawFrame(id, 2, field(2, Buffer.from([7])))],
    [
      'of 4 MiB and a byte',
      'RESOURCE_EXHAUSTED',
      (id: number) => rawFrame(id, 2, Buffer.alloc((4 << 20) + 1)),
    ],
    [
      'with a status of a number that has no name',
      'UNKNOWN',
      (id: number) => rawFrame(id, 2, field(1, numberField(1, 99n))),
    ],
    [
      'as upstream refuses a method that it does not have',
      'NOT_FOUND',
      (id: number) =>
        rawFrame(id, 2, field(1, Buffer.concat([numberField(1, 5n), field(2, '/a.B/C is not supported')]))),
    ],
  ])('%s fails its call with %s, and no other', async (_what, code, answer) => {
    let count = 0;
    await serveRaw((frame, socket) => {
      socket.write(
        count++ === 0 ? answer(frame.streamId) : rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))),
      );
    });

    await expect(ask('size 3')).rejects.toMatchObject({ code });
    expect(await ask('size 3')).toBe('616263');
    expect(count).toBe(2);
  });

  it('to nothing that was asked is passed over', async () => {
    await serveRaw((frame, socket) => {
      socket.write(rawFrame(99, 2, field(2, field(1, 'no'))));
      socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
    });

    expect(await ask('size 3')).toBe('616263');
  });

  it('that stays half costs the connection, and the next call makes another', async () => {
    let count = 0;
    await serveRaw((frame, socket) => {
      const answer = rawFrame(frame.streamId, 2, field(2, field(1, 'abc')));
      socket.write(count++ === 0 ? answer.subarray(0, 12) : answer);
    });

    await expect(ask('size 3')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await ask('size 3')).toBe('616263');
  });
});

describe('a call is given up', () => {
  it('at the client’s deadline, although the server never answers, and a late answer harms nobody', async () => {
    const late: (() => void)[] = [];
    await serveRaw((frame, socket) => {
      const answer = (): void => {
        socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
      };
      if (frame.streamId === 1) late.push(answer);
      else answer();
    });

    const call = client.getResource({ resourcePath: 'x' }, { deadline: deadlineIn(40) });
    await expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    late[0]?.();

    expect(await ask('size 3')).toBe('616263');
  });

  it('before it is sent where its deadline has passed or its signal is aborted', async () => {
    const seen = nothingSeen();
    await serve(seen);

    await expect(
      client.getResource({ resourcePath: 'size 1' }, { deadline: deadlineIn(-1) }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(
      client.getResource({ resourcePath: 'size 1' }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });

    await ask('size 1');
    expect(seen.contexts).toHaveLength(1);
  });

  it('when its signal is aborted, with the reason where that is an RpcError', async () => {
    await serve();
    const first = new AbortController();
    const second = new AbortController();

    const calls = [first, second].map(
      async ({ signal }) => await client.getResource({ resourcePath: 'hang' }, { signal }),
    );
    await delay(30);
    first.abort();
    second.abort(new RpcError('UNAVAILABLE', 'going down'));

    await expect(calls[0]).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(calls[1]).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'going down' });
    expect(await ask('size 1')).toBe('07');
  });

  it('when the client is closed; a later call connects again', async () => {
    await serve();
    const call = ask('hang');
    await delay(30);

    transport.close();

    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await ask('size 1')).toBe('07');
  });
});

describe('a connection', () => {
  it('that cannot be made is UNAVAILABLE, and tried again by the next call', async () => {
    await expect(ask('size 1')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ENOENT') as unknown,
    });

    await serve();

    expect(await ask('size 1')).toBe('07');
  });

  it('that is lost is UNAVAILABLE for calls in flight and made again by the next', async () => {
    const server = await serve();
    const call = ask('ignore');
    await delay(30);
    await Promise.all([server.close(0), expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' })]);
    await serve();

    expect(await ask('size 1')).toBe('07');
  });

  it('is one for all calls', async () => {
    const sockets = new Set<Socket>();
    await serveRaw((frame, socket) => {
      sockets.add(socket);
      socket.write(rawFrame(frame.streamId, 2, Buffer.alloc(0)));
    });

    await Promise.all([ask('a'), ask('b')]);
    await ask('c');

    expect(sockets.size).toBe(1);
  });

  it('whose stream ids are used up is usable no more, and closes when it has its answers', async () => {
    const server = createServer((socket) => {
      const peer = rawPeer(socket);
      void peer.frame().then((frame) => {
        expect(frame?.streamId).toBe(0xffff_ffff);
        socket.write(rawFrame(0xffff_ffff, 2, Buffer.alloc(0)));
      });
    });
    await mkdir(dirname(address.path), { recursive: true });
    server.listen(address.path);
    const { connect } = await import('node:net');
    const socket = connect({ path: address.path });
    const connection = new ClientConnection(socket, new ByteBudget(1 << 20), 1000, 0xffff_ffff);
    expect(connection.isUsable).toBe(true);

    await connection.call(RESOURCE_SERVICE, 'GetResource', new Uint8Array(), {
      signal: undefined,
      deadline: deadlineIn(1000),
    });

    expect(connection.isUsable).toBe(false);
    await once(socket, 'close');
    server.close();
  });
});
