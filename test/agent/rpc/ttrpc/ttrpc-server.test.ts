import { access } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { rawFrame, resourceRequest, statusOf } from '../../../harness/raw-ttrpc.ts';
import { ask, expectAlive, STATUS, until, useTtrpcServer } from '../../../harness/ttrpc-server-under-test.ts';

const under = useTtrpcServer();

/** api.GetResourceService/GetResource on stream 1, GetResourceRequest { "size 3" }. */
const RECORDED_REQUEST =
  '0000002f 00000001 01 00' +
  '0a16 6170692e4765745265736f7572636553657276696365' + // service
  '120b 4765745265736f75726365' + // method
  '1a08 0a06 73697a652033'; // payload
/** GetResourceResponse { 07 07 07 } on stream 1. */
const RECORDED_RESPONSE = '1205 0a03 070707';

describe('an answer', () => {
  it('to the recorded request is the recorded response', async () => {
    const raw = await under.start();

    raw.send(RECORDED_REQUEST);

    expect(await raw.frame()).toEqual({
      streamId: 1,
      type: 2,
      flags: 0,
      payload: Buffer.from(RECORDED_RESPONSE.replaceAll(' ', ''), 'hex'),
    });
  });

  it('comes to a request of single bytes, and to one that says it is the last of its stream', async () => {
    const raw = await under.start();
    const bytes = rawFrame(3, 1, resourceRequest('size 1'), 1);

    for (const byte of bytes) {
      raw.send(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }

    expect(statusOf(await raw.frame()).code).toBe(STATUS.OK);
  });

  it('comes to each of 100 requests at a time, in whatever order they get ready', async () => {
    const raw = await under.start();
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
    const raw = await under.start();

    ask(raw, 1, 'wait 50');
    ask(raw, 3, 'size 100000');
    raw.socket.end();

    expect((await raw.frame())?.streamId).toBe(3);
    expect((await raw.frame())?.streamId).toBe(1);
    expect(await raw.frame()).toBeUndefined();
  });

  it('of exactly 4 MiB fits, and one of a byte more is RESOURCE_EXHAUSTED', async () => {
    const raw = await under.start();
    const overhead = 2 * (1 + 4); // a tag and a length, twice

    ask(raw, 1, `size ${(4 << 20) - overhead}`);
    expect((await raw.frame())?.payload).toHaveLength(4 << 20);
    ask(raw, 3, `size ${(4 << 20) - overhead + 1}`);
    expect(statusOf(await raw.frame()).code).toBe(STATUS.RESOURCE_EXHAUSTED);

    await expectAlive(raw);
  });
});

describe('a failure', () => {
  it('of the handler’s choice travels as code and message, its cause into the log', async () => {
    const raw = await under.start();

    ask(raw, 1, 'refuse');

    expect(statusOf(await raw.frame())).toEqual({ code: STATUS.PERMISSION_DENIED, message: 'not for you' });
    expect(under.seen.log).toMatchObject([{ path: '/api.GetResourceService/GetResource' }]);
  });

  it('of any other kind is STATUS.INTERNAL with a fixed text, the rest goes into the log', async () => {
    const raw = await under.start();

    ask(raw, 1, 'break');
    const frame = await raw.frame();

    expect(statusOf(frame).code).toBe(STATUS.INTERNAL);
    expect(frame!.payload.toString()).not.toContain('s3cret');
    expect(under.seen.log).toMatchObject([{ error: { message: 's3cret failure' } }]);
  });
});

describe('a deadline', () => {
  it('that passes is STATUS.DEADLINE_EXCEEDED, and the handler hears of it', async () => {
    const raw = await under.start();

    ask(raw, 1, 'hang', 30_000_000n);

    expect(statusOf(await raw.frame()).code).toBe(STATUS.DEADLINE_EXCEEDED);
    expect(under.seen.contexts[0]?.signal.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expectAlive(raw);
  });

  it('is kept although the handler does not listen', async () => {
    const raw = await under.start();

    ask(raw, 1, 'ignore', 30_000_000n);

    expect(statusOf(await raw.frame()).code).toBe(STATUS.DEADLINE_EXCEEDED);
  });

  it('is told to the handler on the clock of performance.now(); none is none', async () => {
    const raw = await under.start();
    const before = performance.now();

    ask(raw, 1, 'size 1', 60_000_000_000n);
    await raw.frame();
    ask(raw, 3, 'size 1');
    await raw.frame();

    const [first, second] = under.seen.contexts;
    expect(first!.deadline! - before).toBeGreaterThanOrEqual(60_000);
    expect(first!.deadline! - performance.now()).toBeLessThanOrEqual(60_000);
    expect(second!.deadline).toBeUndefined();
  });

  it.each([-1n, -(2n ** 63n)])('of %s ns has passed before the handler is asked', async (timeout) => {
    const raw = await under.start();

    ask(raw, 1, 'size 1', timeout);

    expect(statusOf(await raw.frame()).code).toBe(STATUS.DEADLINE_EXCEEDED);
    expect(under.seen.contexts).toEqual([]);
  });

  it('in 292 years is far', async () => {
    const raw = await under.start();

    ask(raw, 1, 'wait 20', 2n ** 63n - 1n);

    expect(statusOf(await raw.frame()).code).toBe(STATUS.OK);
  });
});

describe('a closed connection', () => {
  it('aborts what it asked for', async () => {
    const raw = await under.start();

    ask(raw, 1, 'hang');
    await until(() => under.seen.contexts.length === 1);
    raw.socket.destroy();
    await until(() => under.seen.contexts[0]?.signal.aborted === true);

    expect(under.seen.contexts[0]?.signal.reason).toMatchObject({ code: 'CANCELLED' });
  });
});

describe('closing', () => {
  it('answers what is in flight, refuses what comes after, and removes the socket', async () => {
    const raw = await under.start();
    ask(raw, 1, 'wait 100');
    await until(() => under.seen.contexts.length === 1);

    const closed = under.server.close(5_000);
    await expect(access(under.address.path)).rejects.toMatchObject({ code: 'ENOENT' });
    ask(raw, 3, 'size 1');

    const refused = await raw.frame();
    expect([refused?.streamId, statusOf(refused).code]).toEqual([3, STATUS.UNAVAILABLE]);
    const answered = await raw.frame();
    expect([answered?.streamId, statusOf(answered).code]).toEqual([1, STATUS.OK]);
    expect(await raw.frame()).toBeUndefined();
    await closed;
  });

  it('ends idle connections at once', async () => {
    const raw = await under.start();
    await expectAlive(raw);

    await under.server.close(60_000);

    expect(await raw.frame()).toBeUndefined();
  });

  it('aborts what is in flight when the grace is over', async () => {
    const raw = await under.start();
    ask(raw, 1, 'ignore');
    await until(() => under.seen.contexts.length === 1);

    await under.server.close(30);

    expect(under.seen.contexts[0]?.signal.reason).toMatchObject({ code: 'UNAVAILABLE' });
    await raw.ended;
  });

  it('a second time does no harm', async () => {
    const raw = await under.start();

    await Promise.all([under.server.close(0), under.server.close(0)]);
    await under.server.close(0);

    await raw.ended;
  });
});
