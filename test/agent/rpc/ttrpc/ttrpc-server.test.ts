import { access } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UnixAddress } from '../../../../agent/rpc/address.ts';
import {
  startTtrpcServer,
  type TtrpcLimits,
  type TtrpcServer,
} from '../../../../agent/rpc/ttrpc/ttrpc-server.ts';
import {
  connectRaw,
  field,
  type RawPeer,
  rawFrame,
  resourceRequest,
  statusOf,
} from '../../../harness/raw-ttrpc.ts';
import { nothingSeen, resourceService, type Seen, socketFolder } from '../../../harness/resource-service.ts';

const OK = 0;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL = 13;
const UNAVAILABLE = 14;

/** api.GetResourceService/GetResource on stream 1, GetResourceRequest { "size 3" }. */
const RECORDED_REQUEST =
  '0000002f 00000001 01 00' +
  '0a16 6170692e4765745265736f7572636553657276696365' + // service
  '120b 4765745265736f75726365' + // method
  '1a08 0a06 73697a652033'; // payload
/** GetResourceResponse { 07 07 07 } on stream 1. */
const RECORDED_RESPONSE = '1205 0a03 070707';

let address: UnixAddress;
let remove: () => Promise<void>;
let server: TtrpcServer | undefined;
let seen: Seen;
const peers: RawPeer[] = [];

beforeEach(async () => {
  ({ address, remove } = await socketFolder());
  seen = nothingSeen();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.socket.destroy();
  await server?.close(0);
  server = undefined;
  await remove();
});

async function start(limits: Partial<TtrpcLimits> = {}): Promise<RawPeer> {
  server = await startTtrpcServer({
    address,
    services: [resourceService(seen)],
    log: (path, error) => seen.log.push({ path, error }),
    limits,
  });
  return await peer();
}

async function peer(): Promise<RawPeer> {
  const made = await connectRaw(address.path);
  peers.push(made);
  return made;
}

function ask(raw: RawPeer, streamId: number, path: string, timeoutNano = 0n): void {
  raw.send(rawFrame(streamId, 1, resourceRequest(path, timeoutNano)));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

/** Whether the connection still works: every refusal but those that close it leaves it so. */
async function expectAlive(raw: RawPeer, streamId = 1001): Promise<void> {
  ask(raw, streamId, 'size 1');
  const frame = await raw.frame();
  expect([frame?.streamId, statusOf(frame).code]).toEqual([streamId, OK]);
}

describe('an answer', () => {
  it('to the recorded request is the recorded response', async () => {
    const raw = await start();

    raw.send(RECORDED_REQUEST);

    expect(await raw.frame()).toEqual({
      streamId: 1,
      type: 2,
      flags: 0,
      payload: Buffer.from(RECORDED_RESPONSE.replaceAll(' ', ''), 'hex'),
    });
  });

  it('comes to a request of single bytes, and to one that says it is the last of its stream', async () => {
    const raw = await start();
    const bytes = rawFrame(3, 1, resourceRequest('size 1'), 1);

    for (const byte of bytes) {
      raw.send(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }

    expect(statusOf(await raw.frame()).code).toBe(OK);
  });

  it('comes to each of 100 requests at a time, in whatever order they get ready', async () => {
    const raw = await start();
    const waits = Array.from({ length: 100 }, () => Math.floor(Math.random() * 60));

    raw.send(
      Buffer.concat(waits.map((wait, index) => rawFrame(2 * index + 1, 1, resourceRequest(`wait ${wait}`)))),
    );
    const answers = new Map<number, string>();
    for (let left = waits.length; left > 0; left--) {
      const frame = await raw.frame();
      answers.set(frame!.streamId, frame!.payload.subarray(4).toString());
    }

    expect(answers).toEqual(new Map(waits.map((wait, index) => [2 * index + 1, `${wait}`])));
    expect([...answers.keys()]).not.toEqual(waits.map((_wait, index) => 2 * index + 1));
  });

  it('is delivered to one who has ended its half', async () => {
    const raw = await start();

    ask(raw, 1, 'wait 50');
    ask(raw, 3, 'size 100000');
    raw.socket.end();

    expect((await raw.frame())?.streamId).toBe(3);
    expect((await raw.frame())?.streamId).toBe(1);
    expect(await raw.frame()).toBeUndefined();
  });

  it('of exactly 4 MiB fits, and one of a byte more is RESOURCE_EXHAUSTED', async () => {
    const raw = await start();
    const overhead = 2 * (1 + 4); // a tag and a length, twice

    ask(raw, 1, `size ${(4 << 20) - overhead}`);
    expect((await raw.frame())?.payload).toHaveLength(4 << 20);
    ask(raw, 3, `size ${(4 << 20) - overhead + 1}`);
    expect(statusOf(await raw.frame()).code).toBe(RESOURCE_EXHAUSTED);

    await expectAlive(raw);
  });
});

describe('a failure', () => {
  it('of the handler’s choice travels as code and message, its cause into the log', async () => {
    const raw = await start();

    ask(raw, 1, 'refuse');

    expect(statusOf(await raw.frame())).toEqual({ code: PERMISSION_DENIED, message: 'not for you' });
    expect(seen.log).toMatchObject([{ path: '/api.GetResourceService/GetResource' }]);
  });

  it('of any other kind is INTERNAL with a fixed text, the rest goes into the log', async () => {
    const raw = await start();

    ask(raw, 1, 'break');
    const frame = await raw.frame();

    expect(statusOf(frame).code).toBe(INTERNAL);
    expect(frame!.payload.toString()).not.toContain('s3cret');
    expect(seen.log).toMatchObject([{ error: { message: 's3cret failure' } }]);
  });
});

describe('a request is refused, and the connection lives on,', () => {
  it.each([
    [
      'of an unknown method',
      NOT_FOUND,
      '/api.GetResourceService/Nothing is not supported',
      'api.GetResourceService',
      'Nothing',
    ],
    [
      'of an unknown service',
      NOT_FOUND,
      '/api.Nothing/GetResource is not supported',
      'api.Nothing',
      'GetResource',
    ],
    [
      'of a member of Object',
      NOT_FOUND,
      '/api.GetResourceService/constructor is not supported',
      'api.GetResourceService',
      'constructor',
    ],
    ['of no method', NOT_FOUND, '// is not supported', '', ''],
  ])('%s', async (_what, code, message, service, method) => {
    const raw = await start();

    raw.send(rawFrame(1, 1, Buffer.concat([field(1, service), field(2, method)])));

    expect(statusOf(await raw.frame())).toEqual({ code, message });
    await expectAlive(raw);
  });

  it.each([
    ['on an even stream', rawFrame(2, 1, resourceRequest('size 1')), 'odd stream id, got 2'],
    ['on stream 0', rawFrame(0, 1, resourceRequest('size 1')), 'odd stream id, got 0'],
    ['as a response', rawFrame(1, 2, resourceRequest('size 1')), 'got type 2'],
    ['as a data frame', rawFrame(1, 3, resourceRequest('size 1')), 'got type 3'],
    ['as a frame of type 0', rawFrame(1, 0, resourceRequest('size 1')), 'got type 0'],
    ['as a frame of type 255', rawFrame(1, 255, resourceRequest('size 1')), 'got type 255'],
    ['with more to come', rawFrame(1, 1, resourceRequest('size 1'), 2), 'flags 2'],
    ['with no data', rawFrame(1, 1, resourceRequest('size 1'), 4), 'flags 4'],
    ['with an envelope that is none', rawFrame(1, 1, Buffer.from([0x0a, 0x05])), 'ttrpc.Request'],
    [
      'with a message that is none',
      rawFrame(1, 1, Buffer.concat([resourceRequest(''), field(3, Buffer.from([0x0a, 0x05]))])),
      'api.GetResourceRequest',
    ],
    [
      'of 4 MiB and a byte',
      rawFrame(1, 1, Buffer.alloc((4 << 20) + 1)),
      'at most 4194304 bytes, got 4194305',
    ],
  ])('%s: INVALID_ARGUMENT', async (_what, bytes, message) => {
    const raw = await start();

    raw.send(bytes);
    const frame = await raw.frame();

    expect(frame?.streamId).toBe(bytes.readUInt32BE(4));
    expect(statusOf(frame)).toEqual({
      code: INVALID_ARGUMENT,
      message: expect.stringContaining(message) as unknown,
    });
    expect(seen.contexts).toEqual([]);
    await expectAlive(raw);
  });

  it('at once where it says that it has 4 GiB, without waiting for them', async () => {
    const raw = await start();

    raw.send('ffffffff 00000001 01 00');

    expect(statusOf(await raw.frame()).code).toBe(INVALID_ARGUMENT);
  });

  it('on a stream that is in flight: INVALID_ARGUMENT; free again once it is answered', async () => {
    const raw = await start();

    ask(raw, 1, 'wait 50');
    ask(raw, 1, 'size 1');

    expect(statusOf(await raw.frame()).code).toBe(INVALID_ARGUMENT);
    expect(statusOf(await raw.frame()).code).toBe(OK);
    await expectAlive(raw, 1);
  });

  it('with a path that is as long as a frame, and the answer stays small', async () => {
    const raw = await start();

    raw.send(rawFrame(1, 1, field(1, Buffer.alloc(4_000_000, 0x61))));
    const frame = await raw.frame();

    expect(statusOf(frame).code).toBe(NOT_FOUND);
    expect(frame!.payload.byteLength).toBeLessThan(400);
  });
});

describe('garbage', () => {
  it.each([
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\0'.repeat(1000),
  ])('as %j stops nobody else from being served', async (text) => {
    const raw = await start();

    raw.send(Buffer.from(text));
    expect(statusOf(await raw.frame()).code).toBe(INVALID_ARGUMENT);

    await expectAlive(await peer());
  });

  it('at every truncation of a request, the socket then closed, leaves the server serving', async () => {
    const raw = await start();
    const bytes = Buffer.from(RECORDED_REQUEST.replaceAll(' ', ''), 'hex');

    for (let length = 0; length < bytes.length; length++) {
      const cut = await peer();
      cut.send(bytes.subarray(0, length));
      cut.socket.end();
      expect(await cut.frame()).toBeUndefined();
    }

    expect(seen.contexts).toEqual([]);
    await expectAlive(raw);
  });
});

describe('a deadline', () => {
  it('that passes is DEADLINE_EXCEEDED, and the handler hears of it', async () => {
    const raw = await start();

    ask(raw, 1, 'hang', 30_000_000n);

    expect(statusOf(await raw.frame()).code).toBe(DEADLINE_EXCEEDED);
    expect(seen.contexts[0]?.signal.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expectAlive(raw);
  });

  it('is kept although the handler does not listen', async () => {
    const raw = await start();

    ask(raw, 1, 'ignore', 30_000_000n);

    expect(statusOf(await raw.frame()).code).toBe(DEADLINE_EXCEEDED);
  });

  it('is told to the handler on the clock of performance.now(); none is none', async () => {
    const raw = await start();
    const before = performance.now();

    ask(raw, 1, 'size 1', 60_000_000_000n);
    await raw.frame();
    ask(raw, 3, 'size 1');
    await raw.frame();

    const [first, second] = seen.contexts;
    expect(first!.deadline! - before).toBeGreaterThanOrEqual(60_000);
    expect(first!.deadline! - performance.now()).toBeLessThanOrEqual(60_000);
    expect(second!.deadline).toBeUndefined();
  });

  it.each([-1n, -(2n ** 63n)])('of %s ns has passed before the handler is asked', async (timeout) => {
    const raw = await start();

    ask(raw, 1, 'size 1', timeout);

    expect(statusOf(await raw.frame()).code).toBe(DEADLINE_EXCEEDED);
    expect(seen.contexts).toEqual([]);
  });

  it('in 292 years is far', async () => {
    const raw = await start();

    ask(raw, 1, 'wait 20', 2n ** 63n - 1n);

    expect(statusOf(await raw.frame()).code).toBe(OK);
  });
});

describe('limits', () => {
  it('a connection beyond those allowed is closed, and one may come when another has gone', async () => {
    const raw = await start({ connections: 1 });
    await expectAlive(raw);

    const second = await peer();
    expect(await second.frame()).toBeUndefined();
    await expectAlive(raw);

    raw.socket.destroy();
    await delay(50);
    await expectAlive(await peer());
  });

  it('requests beyond those allowed at a time wait for their turn', async () => {
    const raw = await start({ requestsInFlight: 2 });

    for (let streamId = 1; streamId < 10; streamId += 2) ask(raw, streamId, 'hang', 60_000_000n);
    await until(() => seen.contexts.length === 2);
    await delay(20);
    expect(seen.contexts).toHaveLength(2);

    for (let left = 5; left > 0; left--) expect(statusOf(await raw.frame()).code).toBe(DEADLINE_EXCEEDED);
    expect(seen.contexts).toHaveLength(5);
  });

  it('a handler that was given up and does not notice keeps its place', async () => {
    const raw = await start({ requestsInFlight: 1 });

    ask(raw, 1, 'ignore', 20_000_000n);
    ask(raw, 3, 'size 1');
    expect(statusOf(await raw.frame()).code).toBe(DEADLINE_EXCEEDED);
    await delay(50);

    expect(seen.contexts).toHaveLength(1);
  });

  it('a request for which there is no memory is RESOURCE_EXHAUSTED, until there is some again', async () => {
    const raw = await start({ bytes: 20_000 });
    const big = Buffer.concat([resourceRequest('hang', 100_000_000n), field(9, Buffer.alloc(15_000))]);

    raw.send(rawFrame(1, 1, big));
    raw.send(rawFrame(3, 1, big));
    const refused = await raw.frame();
    expect([refused?.streamId, statusOf(refused).code]).toEqual([3, RESOURCE_EXHAUSTED]);
    expect((await raw.frame())?.streamId).toBe(1);

    raw.send(rawFrame(5, 1, big));
    const late = await raw.frame();
    expect([late?.streamId, statusOf(late).code]).toEqual([5, DEADLINE_EXCEEDED]);
  });

  it('the memory of a half frame is given back when its connection closes', async () => {
    const raw = await start({ bytes: 20_000 });
    for (let round = 0; round < 5; round++) {
      const half = await peer();
      half.send(rawFrame(1, 1, Buffer.alloc(15_000)).subarray(0, 10_000));
      await delay(20);
      half.socket.destroy();
      await delay(20);
    }

    raw.send(rawFrame(1, 1, Buffer.concat([resourceRequest('size 1'), field(9, Buffer.alloc(15_000))])));

    expect(statusOf(await raw.frame()).code).toBe(OK);
  });

  it('a frame that stays half is given up, and one who only waits is not', async () => {
    const raw = await start({ stallMilliseconds: 60 });
    const half = await peer();

    half.send(RECORDED_REQUEST.slice(0, 40));
    expect(await half.frame()).toBeUndefined();

    await delay(100);
    await expectAlive(raw);
  });

  it('a frame that comes byte by byte has no longer for it', async () => {
    const raw = await start({ stallMilliseconds: 100 });
    let isClosed = false;
    void raw.ended.then(() => (isClosed = true));

    for (let sent = 0; sent < 40 && !isClosed; sent++) {
      raw.send('00');
      if (sent === 0) raw.send('0000ff');
      await delay(20);
    }

    expect(isClosed).toBe(true);
  });

  it('one who does not read its answers is asked for no more requests, and cut in the end', async () => {
    const raw = await start({ stallMilliseconds: 300 });
    raw.socket.pause();

    for (let streamId = 1; streamId < 20; streamId += 2) ask(raw, streamId, `size ${1 << 20}`);
    await until(() => seen.contexts.length === 10);
    await delay(20);
    ask(raw, 21, 'size 1');
    await delay(100);
    expect(seen.contexts).toHaveLength(10);

    await delay(500);
    await expectAlive(await peer());
    raw.socket.resume();
    await raw.ended;
  });

  it('one who reads slowly gets all its answers, while others are served', async () => {
    const raw = await start();
    raw.socket.pause();
    for (let index = 0; index < 30; index++) ask(raw, 2 * index + 1, `size ${1 << 20}`);
    await delay(50);

    await expectAlive(await peer());

    raw.socket.resume();
    for (let left = 30; left > 0; left--) {
      const frame = await raw.frame();
      // Beyond the budget it is a refusal, never a missing answer.
      expect([OK, RESOURCE_EXHAUSTED]).toContain(statusOf(frame).code);
    }
  });
});

describe('a closed connection', () => {
  it('aborts what it asked for', async () => {
    const raw = await start();

    ask(raw, 1, 'hang');
    await until(() => seen.contexts.length === 1);
    raw.socket.destroy();
    await until(() => seen.contexts[0]?.signal.aborted === true);

    expect(seen.contexts[0]?.signal.reason).toMatchObject({ code: 'CANCELLED' });
  });
});

describe('closing', () => {
  it('answers what is in flight, refuses what comes after, and removes the socket', async () => {
    const raw = await start();
    ask(raw, 1, 'wait 100');
    await until(() => seen.contexts.length === 1);

    const closed = server!.close(5_000);
    await expect(access(address.path)).rejects.toMatchObject({ code: 'ENOENT' });
    ask(raw, 3, 'size 1');

    const refused = await raw.frame();
    expect([refused?.streamId, statusOf(refused).code]).toEqual([3, UNAVAILABLE]);
    const answered = await raw.frame();
    expect([answered?.streamId, statusOf(answered).code]).toEqual([1, OK]);
    expect(await raw.frame()).toBeUndefined();
    await closed;
  });

  it('ends idle connections at once', async () => {
    const raw = await start();
    await expectAlive(raw);

    await server!.close(60_000);

    expect(await raw.frame()).toBeUndefined();
  });

  it('aborts what is in flight when the grace is over', async () => {
    const raw = await start();
    ask(raw, 1, 'ignore');
    await until(() => seen.contexts.length === 1);

    await server!.close(30);

    expect(seen.contexts[0]?.signal.reason).toMatchObject({ code: 'UNAVAILABLE' });
    await raw.ended;
  });

  it('a second time does no harm', async () => {
    await start();

    await Promise.all([server!.close(0), server!.close(0)]);
    await server!.close(0);

    await peers[0]!.ended;
  });
});
