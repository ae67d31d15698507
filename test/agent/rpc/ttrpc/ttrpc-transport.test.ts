import { describe, expect, it } from 'vitest';
import { parseUnixAddress } from '../../../../agent/rpc/address.ts';
import { createRpcClient } from '../../../../agent/rpc/client.ts';
import { GetResourceService } from '../../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { RpcError } from '../../../../agent/rpc/rpc-error.ts';
import { startTtrpcServer } from '../../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { field, numberField, type RawFrame, rawFrame } from '../../../harness/raw-ttrpc.ts';
import { nothingSeen, resourceService } from '../../../harness/resource-service.ts';
import { useTtrpcClient } from '../../../harness/ttrpc-client-under-test.ts';

const under = useTtrpcClient();

describe('a call', () => {
  it('says what upstream’s clients say', async () => {
    const frames: RawFrame[] = [];
    await under.serveRaw((frame, socket) => {
      frames.push(frame);
      socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
    });

    expect(await under.ask('size 3')).toBe(Buffer.from('abc').toString('hex'));
    await under.ask('size 3');

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
    await under.serve();
    const waits = Array.from({ length: 100 }, () => Math.floor(Math.random() * 60));

    const answers = await Promise.all(waits.map(async (wait) => await under.ask(`wait ${wait}`)));

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
    await under.serve();

    const call = under.client.getResource({ resourcePath: path });

    await expect(call).rejects.toBeInstanceOf(RpcError);
    await expect(call).rejects.toMatchObject({ code });
  });

  it('of more than 4 MiB is INVALID_ARGUMENT and not sent', async () => {
    const seen = nothingSeen();
    await under.serve(seen);

    await expect(under.ask('x'.repeat(4 << 20))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });

    expect(await under.ask('size 1')).toBe('07');
    expect(seen.contexts).toHaveLength(1);
  });

  it('for which there is no memory is RESOURCE_EXHAUSTED', async () => {
    await under.serveRaw((_frame, socket) => socket.pause());
    const big = 'x'.repeat(3 << 20);

    const calls = [under.ask(big), under.ask(big), under.ask(big)].map(
      async (call) => await call.catch((e: unknown) => e),
    );

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
    await under.serveRaw((frame, socket) => {
      socket.write(
        count++ === 0 ? answer(frame.streamId) : rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))),
      );
    });

    await expect(under.ask('size 3')).rejects.toMatchObject({ code });
    expect(await under.ask('size 3')).toBe('616263');
    expect(count).toBe(2);
  });

  it('to nothing that was asked is passed over', async () => {
    await under.serveRaw((frame, socket) => {
      socket.write(rawFrame(99, 2, field(2, field(1, 'no'))));
      socket.write(rawFrame(frame.streamId, 2, field(2, field(1, 'abc'))));
    });

    expect(await under.ask('size 3')).toBe('616263');
  });

  it('that stays half costs the connection, and the next call makes another', async () => {
    let count = 0;
    await under.serveRaw((frame, socket) => {
      const answer = rawFrame(frame.streamId, 2, field(2, field(1, 'abc')));
      socket.write(count++ === 0 ? answer.subarray(0, 12) : answer);
    });

    await expect(under.ask('size 3')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await under.ask('size 3')).toBe('616263');
  });
});
