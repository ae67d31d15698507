import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { field, rawFrame, resourceRequest, statusOf } from '../../../harness/raw-ttrpc.ts';
import { ask, expectAlive, STATUS, until, useTtrpcServer } from '../../../harness/ttrpc-server-under-test.ts';

const under = useTtrpcServer();

const REQUEST = rawFrame(1, 1, resourceRequest('size 3'));

describe('limits', () => {
  it('a connection beyond those allowed is closed, and one may come when another has gone', async () => {
    const raw = await under.start({ connections: 1 });
    await expectAlive(raw);

    const second = await under.peer();
    expect(await second.frame()).toBeUndefined();
    await expectAlive(raw);

    raw.socket.destroy();
    await delay(50);
    await expectAlive(await under.peer());
  });

  it('requests beyond those allowed at a time wait for their turn', async () => {
    const raw = await under.start({ requestsInFlight: 2 });

    for (let streamId = 1; streamId < 10; streamId += 2) ask(raw, streamId, 'hang', 60_000_000n);
    await until(() => under.seen.contexts.length === 2);
    await delay(20);
    expect(under.seen.contexts).toHaveLength(2);

    for (let left = 5; left > 0; left--)
      expect(statusOf(await raw.frame()).code).toBe(STATUS.DEADLINE_EXCEEDED);
    expect(under.seen.contexts).toHaveLength(5);
  });

  it('a handler that was given up and does not notice keeps its place', async () => {
    const raw = await under.start({ requestsInFlight: 1 });

    ask(raw, 1, 'ignore', 20_000_000n);
    ask(raw, 3, 'size 1');
    expect(statusOf(await raw.frame()).code).toBe(STATUS.DEADLINE_EXCEEDED);
    await delay(50);

    expect(under.seen.contexts).toHaveLength(1);
  });

  it('a request for which there is no memory is STATUS.RESOURCE_EXHAUSTED, until there is some again', async () => {
    const raw = await under.start({ bytes: 20_000 });
    const big = Buffer.concat([resourceRequest('hang', 100_000_000n), field(9, Buffer.alloc(15_000))]);

    raw.send(rawFrame(1, 1, big));
    raw.send(rawFrame(3, 1, big));
    const refused = await raw.frame();
    expect([refused?.streamId, statusOf(refused).code]).toEqual([3, STATUS.RESOURCE_EXHAUSTED]);
    expect((await raw.frame())?.streamId).toBe(1);

    raw.send(rawFrame(5, 1, big));
    const late = await raw.frame();
    expect([late?.streamId, statusOf(late).code]).toEqual([5, STATUS.DEADLINE_EXCEEDED]);
  });

  it('the memory of a half frame is given back when its connection closes', async () => {
    const raw = await under.start({ bytes: 20_000 });
    for (let round = 0; round < 5; round++) {
      const half = await under.peer();
      half.send(rawFrame(1, 1, Buffer.alloc(15_000)).subarray(0, 10_000));
      await delay(20);
      half.socket.destroy();
      await delay(20);
    }

    raw.send(rawFrame(1, 1, Buffer.concat([resourceRequest('size 1'), field(9, Buffer.alloc(15_000))])));

    expect(statusOf(await raw.frame()).code).toBe(STATUS.OK);
  });

  it('a frame that stays half is given up, and one who only waits is not', async () => {
    const raw = await under.start({ stallMilliseconds: 60 });
    const half = await under.peer();

    half.send(REQUEST.subarray(0, 20));
    expect(await half.frame()).toBeUndefined();

    await delay(100);
    await expectAlive(raw);
  });

  it('a frame that comes byte by byte has no longer for it', async () => {
    const raw = await under.start({ stallMilliseconds: 100 });
    raw.send('000000ff');
    const dripping = setInterval(() => {
      raw.send('00');
    }, 20);

    await raw.ended;

    clearInterval(dripping);
  });

  it('one who does not read its answers is asked for no more requests, and cut in the end', async () => {
    const raw = await under.start({ stallMilliseconds: 300 });
    raw.socket.pause();

    for (let streamId = 1; streamId < 20; streamId += 2) ask(raw, streamId, `size ${1 << 20}`);
    await until(() => under.seen.contexts.length === 10);
    await delay(20);
    ask(raw, 21, 'size 1');
    await delay(100);
    expect(under.seen.contexts).toHaveLength(10);

    await delay(500);
    await expectAlive(await under.peer());
    raw.socket.resume();
    await raw.ended;
  });

  it('one who reads slowly gets all its answers, while others are served', async () => {
    const raw = await under.start();
    raw.socket.pause();
    for (let index = 0; index < 30; index++) ask(raw, 2 * index + 1, `size ${1 << 20}`);
    await delay(50);

    await expectAlive(await under.peer());

    raw.socket.resume();
    for (let left = 30; left > 0; left--) {
      const frame = await raw.frame();
      // Beyond the budget it is a refusal, never a missing answer.
      expect([STATUS.OK, STATUS.RESOURCE_EXHAUSTED]).toContain(statusOf(frame).code);
    }
  });
});
