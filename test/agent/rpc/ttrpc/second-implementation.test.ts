import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { UnixAddress } from '../../../../agent/rpc/address.ts';
import { createRpcClient, type RpcTransport } from '../../../../agent/rpc/client.ts';
import { deadlineIn } from '../../../../agent/rpc/deadline.ts';
import { GetResourceService } from '../../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { startTtrpcServer } from '../../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { nothingSeen, resourceService, socketFolder } from '../../../harness/resource-service.ts';

const run = promisify(execFile);
const SOURCES = join(import.meta.dirname, '../ttrpc-peer');
const PEER = join(import.meta.dirname, '../../../../node_modules/.cache/verigo/ttrpc-peer');

const hasGo = await run('go', ['version']).then(
  () => true,
  () => false,
);
/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
if (!hasGo && !mustRun) console.warn('no Go: ttrpc is not tested against its second implementation');

let address: UnixAddress;
let remove: () => Promise<void>;

describe.skipIf(!hasGo && !mustRun)('containerd’s ttrpc', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    await mkdir(dirname(PEER), { recursive: true });
    await run('go', ['build', '-o', PEER, '.'], { cwd: SOURCES });
  }, 300_000);

  beforeEach(async () => {
    ({ address, remove } = await socketFolder());
  });

  afterEach(async () => {
    await remove();
  });

  it('as a client is served by ours', async () => {
    const seen = nothingSeen();
    const server = await startTtrpcServer({
      address,
      services: [resourceService(seen)],
      log: () => undefined,
    });
    try {
      const { stdout } = await run(PEER, ['call', address.path]);

      expect(JSON.parse(stdout)).toEqual({
        small: { code: 0, size: 1024 },
        large: { code: 0, size: 4_000_000 },
        refused: { code: 7, message: 'not for you', size: 0 },
        broken: { code: 13, message: expect.stringContaining('see the log') as unknown, size: 0 },
        late: expect.objectContaining({ code: 4 }) as unknown,
        unknownMethod: { code: 5, message: '/api.GetResourceService/Nothing is not supported', size: 0 },
        // Its own limit: it does not send what ours would refuse.
        oversize: { code: 8, message: expect.any(String) as unknown, size: 0 },
        concurrentRight: 100,
      });
      // Its timeout travels, so that ours gives the handler up as well.
      expect(seen.contexts.some(({ signal }) => signal.aborted)).toBe(true);
    } finally {
      await server.close(0);
    }
  });

  describe('as a server', () => {
    let transport: RpcTransport;
    let stop: () => Promise<void>;

    beforeEach(async () => {
      await mkdir(dirname(address.path));
      const peer = spawn(PEER, ['serve', address.path], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(peer.stdout, 'data');
      transport = createTtrpcTransport(address);
      stop = async () => {
        transport.close();
        peer.stdin.end();
        await once(peer, 'close');
      };
    });

    afterEach(async () => {
      await stop();
    });

    function client() {
      return createRpcClient(GetResourceService, transport, 60_000);
    }

    it('answers ours: small, large, and 100 at a time', async () => {
      const sizes = [0, 1, 1024, 4_000_000, ...Array.from({ length: 100 }, (_, index) => index)];

      const answers = await Promise.all(
        sizes.map(async (size) => await client().getResource({ resourcePath: `size ${size}` })),
      );

      expect(answers.map(({ resource }) => resource.byteLength)).toEqual(sizes);
    });

    it('answers in another order than it was asked', async () => {
      const order: string[] = [];

      await Promise.all(
        ['120', '60', '1'].map(async (wait) => {
          const { resource } = await client().getResource({ resourcePath: `wait ${wait}` });
          order.push(Buffer.from(resource).toString());
        }),
      );

      expect(order).toEqual(['1', '60', '120']);
    });

    it.each([
      [3, 'INVALID_ARGUMENT'],
      [5, 'NOT_FOUND'],
      [7, 'PERMISSION_DENIED'],
      [13, 'INTERNAL'],
      [14, 'UNAVAILABLE'],
      [16, 'UNAUTHENTICATED'],
    ])('fails with status %i, which is %s to ours', async (code, name) => {
      await expect(client().getResource({ resourcePath: `code ${code} because` })).rejects.toMatchObject({
        code: name,
        message: 'because',
      });
    });

    it('is given up by ours at the deadline', async () => {
      await expect(
        client().getResource({ resourcePath: 'wait 5000' }, { deadline: deadlineIn(50) }),
      ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    });

    it('refuses a method that it does not have', async () => {
      const call = transport.call('api.GetResourceService', 'Nothing', new Uint8Array(), {
        signal: undefined,
        deadline: deadlineIn(5_000),
      });

      await expect(call).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    });
  });
});
