import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createRpcClient, type RpcClient, type RpcTransport } from '../../../agent/rpc/client.ts';
import { deadlineIn } from '../../../agent/rpc/deadline.ts';
import { GetResourceService } from '../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { type GrpcServer, startGrpcServer } from '../../../agent/rpc/grpc-server.ts';
import { createGrpcTransport } from '../../../agent/rpc/grpc-transport.ts';
import { RpcError } from '../../../agent/rpc/rpc-error.ts';
import { nothingSeen, resourceService, type Seen } from '../../harness/resource-service.ts';

let server: GrpcServer | undefined;
let transport: RpcTransport | undefined;

afterEach(async () => {
  transport?.close();
  await server?.close(0);
  transport = undefined;
  server = undefined;
});

async function start(
  seen: Seen = nothingSeen(),
  host = '127.0.0.1',
): Promise<RpcClient<typeof GetResourceService>> {
  server = await startGrpcServer({
    address: { host, port: 0 },
    services: [resourceService(seen)],
    log: (path, error) => seen.log.push({ path, error }),
  });
  transport = createGrpcTransport({ host, port: server.port });
  return createRpcClient(GetResourceService, transport, 5_000);
}

describe('a service over gRPC', () => {
  it.each(['127.0.0.1', '::1', 'localhost'])('answers at %s', async (host) => {
    const client = await start(nothingSeen(), host);

    expect((await client.getResource({ resourcePath: 'size 1024' })).resource).toHaveLength(1024);
  });

  it('answers 100 at a time, each its own', async () => {
    const client = await start();

    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const { resource } = await client.getResource({ resourcePath: `wait ${(index * 37) % 60}` });
        return Buffer.from(resource).toString();
      }),
    );

    expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => `${(index * 37) % 60}`));
  });

  it('fails as its handler says; the cause goes into the log', async () => {
    const seen = nothingSeen();
    const client = await start(seen);

    const call = client.getResource({ resourcePath: 'refuse' });

    await expect(call).rejects.toBeInstanceOf(RpcError);
    await expect(call).rejects.toMatchObject({ code: 'PERMISSION_DENIED', message: 'not for you' });
    expect(seen.log).toHaveLength(1);
  });

  it('fails with a fixed text where its handler throws anything else', async () => {
    const client = await start();

    const error = await client.getResource({ resourcePath: 'break' }).catch((e: unknown) => e as RpcError);

    expect(error).toMatchObject({ code: 'INTERNAL' });
    expect((error as RpcError).message).not.toContain('s3cret');
  });

  it('is UNIMPLEMENTED where it has no such method or service', async () => {
    await start();

    for (const [service, method] of [
      ['api.GetResourceService', 'Nothing'],
      ['api.Nothing', 'GetResource'],
    ] as const) {
      await expect(
        transport!.call(service, method, new Uint8Array(), {
          signal: undefined,
          deadline: deadlineIn(5_000),
        }),
      ).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    }
  });

  it('is INVALID_ARGUMENT where the message is none', async () => {
    await start();

    await expect(
      transport!.call('api.GetResourceService', 'GetResource', Uint8Array.of(0x0a, 0x05), {
        signal: undefined,
        deadline: deadlineIn(5_000),
      }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses more than 4 MiB, both ways', async () => {
    const client = await start();

    await expect(client.getResource({ resourcePath: 'x'.repeat(4 << 20) })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    await expect(client.getResource({ resourcePath: `size ${4 << 20}` })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    expect((await client.getResource({ resourcePath: 'size 4000000' })).resource).toHaveLength(4_000_000);
  });

  it('is given up at the deadline, which its handler knows', async () => {
    const seen = nothingSeen();
    const client = await start(seen);

    const call = client.getResource({ resourcePath: 'hang' }, { deadline: deadlineIn(200) });
    await expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await untilAborted(seen);

    const { deadline } = seen.contexts[0]!;
    expect(Math.abs(deadline! - performance.now())).toBeLessThan(1_000);
  });

  it('is given up when its caller is gone', async () => {
    const seen = nothingSeen();
    const client = await start(seen);
    const abort = new AbortController();

    const call = client.getResource({ resourcePath: 'hang' }, { signal: abort.signal });
    while (seen.contexts.length === 0) await delay(5);
    abort.abort();

    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    await untilAborted(seen);
    expect(seen.contexts[0]?.signal.reason).toMatchObject({ code: 'CANCELLED' });
  });

  it('is not asked where the call is over before it begins', async () => {
    const seen = nothingSeen();
    const client = await start(seen);

    await expect(
      client.getResource({ resourcePath: 'size 1' }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(
      client.getResource({ resourcePath: 'size 1' }, { deadline: deadlineIn(-1) }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });

    expect(seen.contexts).toEqual([]);
  });
});

describe('the address of gRPC', () => {
  it('is loopback unless the switch with the long name is set', async () => {
    const options = { address: { host: '0.0.0.0', port: 0 }, services: [], log: () => undefined };

    await expect(startGrpcServer(options)).rejects.toMatchObject({ code: 'ADDRESS_NOT_LOOPBACK' });

    server = await startGrpcServer({ ...options, dangerouslyServeBeyondLoopback: true });
    expect(server.port).toBeGreaterThan(0);
  });

  it('is unavailable where somebody listens', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;

    await expect(
      startGrpcServer({ address: { host: '127.0.0.1', port }, services: [], log: () => undefined }),
    ).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });

    other.close();
  });

  it('at which nobody listens is UNAVAILABLE to a client', async () => {
    const client = await start();
    await client.getResource({ resourcePath: 'size 1' });
    await server!.close(0);

    await expect(client.getResource({ resourcePath: 'size 1' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});

describe('closing', () => {
  it('answers what is in flight', async () => {
    const seen = nothingSeen();
    const client = await start(seen);
    const call = client.getResource({ resourcePath: 'wait 100' });
    while (seen.contexts.length === 0) await delay(5);

    const closed = server!.close(5_000);

    expect(Buffer.from((await call).resource).toString()).toBe('100');
    transport!.close();
    await closed;
  });

  it('aborts what is in flight when the grace is over', async () => {
    const seen = nothingSeen();
    const client = await start(seen);
    const call = client.getResource({ resourcePath: 'hang' });
    const failure = expect(call).rejects.toBeInstanceOf(RpcError);
    while (seen.contexts.length === 0) await delay(5);

    await server!.close(30);

    await failure;
    await untilAborted(seen);
  });
});

async function untilAborted(seen: Seen): Promise<void> {
  while (seen.contexts[0]?.signal.aborted !== true) await delay(5);
}
