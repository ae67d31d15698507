import { describe, expect, it } from 'vitest';
import { field, rawFrame, resourceRequest, statusOf } from '../../../harness/raw-ttrpc.ts';
import { ask, expectAlive, STATUS, useTtrpcServer } from '../../../harness/ttrpc-server-under-test.ts';

const under = useTtrpcServer();

const REQUEST = rawFrame(1, 1, resourceRequest('size 3'));

describe('a request is refused, and the connection lives on,', () => {
  it.each([
    [
      'of an unknown method',
      STATUS.NOT_FOUND,
      '/api.GetResourceService/Nothing is not supported',
      'api.GetResourceService',
      'Nothing',
    ],
    [
      'of an unknown service',
      STATUS.NOT_FOUND,
      '/api.Nothing/GetResource is not supported',
      'api.Nothing',
      'GetResource',
    ],
    [
      'of a member of Object',
      STATUS.NOT_FOUND,
      '/api.GetResourceService/constructor is not supported',
      'api.GetResourceService',
      'constructor',
    ],
    ['of no method', STATUS.NOT_FOUND, '// is not supported', '', ''],
  ])('%s', async (_what, code, message, service, method) => {
    const raw = await under.start();

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
    const raw = await under.start();

    raw.send(bytes);
    const frame = await raw.frame();

    expect(frame?.streamId).toBe(bytes.readUInt32BE(4));
    expect(statusOf(frame)).toEqual({
      code: STATUS.INVALID_ARGUMENT,
      message: expect.stringContaining(message) as unknown,
    });
    expect(under.seen.contexts).toEqual([]);
    await expectAlive(raw);
  });

  it('at once where it says that it has 4 GiB, without waiting for them', async () => {
    const raw = await under.start();

    raw.send('ffffffff 00000001 01 00');

    expect(statusOf(await raw.frame()).code).toBe(STATUS.INVALID_ARGUMENT);
  });

  it('on a stream that is in flight: INVALID_ARGUMENT; free again once it is answered', async () => {
    const raw = await under.start();

    ask(raw, 1, 'wait 50');
    ask(raw, 1, 'size 1');

    expect(statusOf(await raw.frame()).code).toBe(STATUS.INVALID_ARGUMENT);
    expect(statusOf(await raw.frame()).code).toBe(STATUS.OK);
    await expectAlive(raw, 1);
  });

  it('with a path that is as long as a frame, and the answer stays small', async () => {
    const raw = await under.start();

    raw.send(rawFrame(1, 1, field(1, Buffer.alloc(4_000_000, 0x61))));
    const frame = await raw.frame();

    expect(statusOf(frame).code).toBe(STATUS.NOT_FOUND);
    expect(frame!.payload.byteLength).toBeLessThan(400);
  });
});

describe('garbage', () => {
  it.each([
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\0'.repeat(1000),
  ])('as %j stops nobody else from being served', async (text) => {
    const raw = await under.start();

    raw.send(Buffer.from(text));
    expect(statusOf(await raw.frame()).code).toBe(STATUS.INVALID_ARGUMENT);

    await expectAlive(await under.peer());
  });

  it('at every truncation of a request, the socket then closed, leaves the server serving', async () => {
    const raw = await under.start();
    for (let length = 0; length < REQUEST.length; length++) {
      const cut = await under.peer();
      cut.send(REQUEST.subarray(0, length));
      cut.socket.end();
      expect(await cut.frame()).toBeUndefined();
    }

    expect(under.seen.contexts).toEqual([]);
    await expectAlive(raw);
  });
});
