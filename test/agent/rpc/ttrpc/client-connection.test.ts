import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { deadlineIn } from '../../../../agent/rpc/deadline.ts';
import { RpcError } from '../../../../agent/rpc/rpc-error.ts';
import { ByteBudget } from '../../../../agent/rpc/ttrpc/byte-budget.ts';
import { ClientConnection } from '../../../../agent/rpc/ttrpc/client-connection.ts';
import { field, rawFrame, rawPeer } from '../../../harness/raw-ttrpc.ts';
import { nothingSeen, RESOURCE_SERVICE } from '../../../harness/resource-service.ts';
import { useTtrpcClient } from '../../../harness/ttrpc-client-under-test.ts';

const under = useTtrpcClient();

describe('a call is given up', () => {
  it('at the client’s deadline, although the server never answers, and a late answer harms nobody', async () => {
    const late: (() => void)[] = [];
    await under.serveRaw((frame, socket) => {
      const answer = (): void => {
        socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
      };
      if (frame.streamId === 1) late.push(answer);
      else answer();
    });

    const call = under.client.getResource({ resourcePath: 'x' }, { deadline: deadlineIn(40) });
    await expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    late[0]?.();

    expect(await under.ask('size 3')).toBe('616263');
  });

  it('before it is sent where its deadline has passed or its signal is aborted', async () => {
    const seen = nothingSeen();
    await under.serve(seen);

    await expect(
      under.client.getResource({ resourcePath: 'size 1' }, { deadline: deadlineIn(-1) }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(
      under.client.getResource({ resourcePath: 'size 1' }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });

    await under.ask('size 1');
    expect(seen.contexts).toHaveLength(1);
  });

  it('when its signal is aborted, with the reason where that is an RpcError', async () => {
    await under.serve();
    const first = new AbortController();
    const second = new AbortController();

    const calls = [first, second].map(
      async ({ signal }) => await under.client.getResource({ resourcePath: 'hang' }, { signal }),
    );
    await delay(30);
    first.abort();
    second.abort(new RpcError('UNAVAILABLE', 'going down'));

    await expect(calls[0]).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(calls[1]).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'going down' });
    expect(await under.ask('size 1')).toBe('07');
  });

  it('when the client is closed; a later call connects again', async () => {
    await under.serve();
    const call = under.ask('hang');
    await delay(30);

    under.transport.close();

    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await under.ask('size 1')).toBe('07');
  });
});

describe('a connection', () => {
  it('that cannot be made is UNAVAILABLE, and tried again by the next call', async () => {
    await expect(under.ask('size 1')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ENOENT') as unknown,
    });

    await under.serve();

    expect(await under.ask('size 1')).toBe('07');
  });

  it('that is lost is UNAVAILABLE for calls in flight and made again by the next', async () => {
    const server = await under.serve();
    const call = under.ask('ignore');
    await delay(30);
    await Promise.all([server.close(0), expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' })]);
    await under.serve();

    expect(await under.ask('size 1')).toBe('07');
  });

  it('is one for all calls', async () => {
    const sockets = new Set<Socket>();
    await under.serveRaw((frame, socket) => {
      sockets.add(socket);
      socket.write(rawFrame(frame.streamId, 2, Buffer.alloc(0)));
    });

    await Promise.all([under.ask('a'), under.ask('b')]);
    await under.ask('c');

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
    await mkdir(dirname(under.address.path), { recursive: true });
    server.listen(under.address.path);
    const socket = connect({ path: under.address.path });
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
