import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginRequest, send, sendRaw } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const MAX_IN_FLIGHT = 3;
const PER_MINUTE = 5;
const challenge = { tee: 'sample', tee_params: '' };
const handshake = { version: '0.4.0', tee: 'sample', 'extra-params': '' };

describe('more requests at a time than the server takes', () => {
  let verigo: RunningVerigo;
  beforeAll(async () => {
    verigo = await startVerigo({ config: { http: { max_in_flight: MAX_IN_FLIGHT } } });
  });
  afterAll(async () => {
    await verigo.close();
  });

  test('are refused with 503 until one is finished, and health is told all the same', async () => {
    const slow = await Promise.all(
      Array.from(
        { length: MAX_IN_FLIGHT },
        async () => await beginRequest(verigo.url, '/challenge', challenge),
      ),
    );
    const refused = await send(verigo.url, '/challenge', { json: challenge });
    expect(refused).toMatchObject({ status: 503, code: 'OVERLOADED' });
    expect(refused.headers.get('retry-after')).toBe('1');
    const atBroker = await send(verigo.url, '/kbs/v0/auth', { json: handshake });
    expect(atBroker).toMatchObject({ status: 503, code: 'OVERLOADED' });
    expect(Object.keys(atBroker.json() as object).toSorted()).toEqual(['detail', 'type']);
    expect(await send(verigo.url, '/readyz')).toMatchObject({ status: 200 });
    expect(await slow[0]!.finish()).toMatchObject({ status: 200 });
    expect(await send(verigo.url, '/challenge', { json: challenge })).toMatchObject({ status: 200 });
    for (const one of slow.slice(1)) expect(await one.finish()).toMatchObject({ status: 200 });
  });

  test('that are abandoned make room', async () => {
    const slow = await Promise.all(
      Array.from(
        { length: MAX_IN_FLIGHT },
        async () => await beginRequest(verigo.url, '/challenge', challenge),
      ),
    );
    for (const one of slow) one.abandon();
    await expect
      .poll(async () => (await send(verigo.url, '/challenge', { json: challenge })).status, { timeout: 1000 })
      .toBe(200);
  });

  test('are counted once each, whatever comes of them', async () => {
    for (let count = 0; count < MAX_IN_FLIGHT * 3; count++) {
      expect((await send(verigo.url, '/challenge', { body: '{' })).status).toBe(400);
      expect((await sendRaw(verigo.url, '/kbs/v0/resource/%00')).status).toBe(400);
      expect((await send(verigo.url, '/nonesuch')).status).toBe(404);
    }
    expect(await send(verigo.url, '/challenge', { json: challenge })).toMatchObject({ status: 200 });
  });
});

describe('more requests a minute than one address may send', () => {
  let verigo: RunningVerigo;
  beforeAll(async () => {
    verigo = await startVerigo({ config: { http: { rate_limit_per_minute: PER_MINUTE } } });
    for (let count = 0; count < PER_MINUTE; count++) {
      expect(await send(verigo.url, '/challenge', { json: challenge })).toMatchObject({ status: 200 });
    }
  });
  afterAll(async () => {
    await verigo.close();
  });

  test('are refused with 429, in the form that each face speaks', async () => {
    const refused = await send(verigo.url, '/challenge', { json: challenge });
    expect(refused).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    const atBroker = await send(verigo.url, '/kbs/v0/auth', { json: handshake });
    expect(atBroker).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect(Object.keys(atBroker.json() as object).toSorted()).toEqual(['detail', 'type']);
  });

  test('whatever address they claim to come from', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.7',
      forwarded: 'for=203.0.113.8',
      'x-real-ip': '203.0.113.9',
    };
    expect(await send(verigo.url, '/challenge', { json: challenge, headers })).toMatchObject({ status: 429 });
  });

  test('while reading, administration and health go on', async () => {
    const token = await verigo.adminToken();
    expect(await send(verigo.url, '/policy')).toMatchObject({ status: 200 });
    expect(await send(verigo.url, '/.well-known/jwks.json')).toMatchObject({ status: 200 });
    expect(
      await send(verigo.url, '/api/v1/reference-values/a', { method: 'PUT', json: { value: 1 }, token }),
    ).toMatchObject({ status: 204 });
    expect(await send(verigo.url, '/readyz')).toMatchObject({ status: 200 });
  });
});
