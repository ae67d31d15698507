import { describe, expect, test } from 'vitest';
import { RuntimeMeasurementResult } from '../../../agent/rpc/gen/attestation_agent_pb.ts';
import { send, sendRaw } from '../../harness/http.ts';
import { outcome, useRestFront } from '../../harness/rest-front.ts';

const front = useRestFront();

describe('what is answered', () => {
  test('who this is', async () => {
    const reply = await send(front.url, '/info');
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(reply.json()).toEqual({
      version: 'Verigo test',
      tee: 'sample',
      additional_tees: ['sampledevice'],
      feature: 'all',
    });
  });

  test('a token, which nobody on the way may keep', async () => {
    const reply = await send(front.url, '/aa/token?token_type=coco_as');
    expect([reply.status, reply.text]).toEqual([200, 'token of coco_as']);
    expect(reply.headers.get('content-type')).toBe('application/octet-stream');
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });

  test.each([
    ['text as it is', 'runtime_data=a%20b+c', 'a b c'],
    ['base64 in the alphabet for URLs', 'runtime_data=YSBi&encoding=base64', 'a b'],
  ])('evidence for %s', async (_what, query, expected) => {
    expect((await send(front.url, `/aa/evidence?${query}`)).text).toBe(expected);
  });

  test('no evidence of devices is an empty body', async () => {
    const reply = await send(front.url, '/aa/additional-evidence?runtime_data=x');
    expect([reply.status, reply.text]).toEqual([200, '']);
  });

  test.each([
    [RuntimeMeasurementResult.OK, { success: 'true' }],
    [
      RuntimeMeasurementResult.NOT_SUPPORTED,
      { success: 'false', message: 'The platform does not support runtime measurement' },
    ],
    [
      RuntimeMeasurementResult.NOT_ENABLED,
      { success: 'false', message: 'Attestation Agent does not enable eventlog recording' },
    ],
    [9 as RuntimeMeasurementResult, { success: 'false', message: 'Unknown runtime measurement result' }],
  ])('an event: result %i', async (result, expected) => {
    front.agent.state.result = result;
    const reply = await send(front.url, '/aa/aael', { json: { domain: 'd', operation: 'o', content: 'c' } });
    expect([reply.status, reply.json()]).toEqual([200, expected]);
    expect(front.agent.state.seen).toMatchObject([{ domain: 'd', operation: 'o', content: 'c' }]);
    expect(Object.keys(front.agent.state.seen[0] as object)).not.toContain('registerIndex');
  });

  test('an event for a register', async () => {
    await send(front.url, '/aa/aael', {
      json: { domain: 'd', operation: 'o', content: 'c', register_index: 8 },
    });
    expect(front.agent.state.seen).toMatchObject([{ registerIndex: 8n }]);
  });

  test.each([
    ['/cdh/resource/default/key/1', 'kbs:///default/key/1'],
    ['/cdh/resource/default/key/1?version=2&x=%26', 'kbs:///default/key/1?version=2&x=%26'],
    ['/cdh/resource/a%20b/c', 'kbs:///a%20b/c'],
    ['/cdh/plugin/pkcs11/slot/1?mechanism=a', 'kbs+pkcs11:///slot/1?mechanism=a'],
    ['/cdh/plugin/resource/default/key/1', 'kbs:///default/key/1'],
  ])('a resource, with its query and its plugin (R3): %s', async (path, uri) => {
    const reply = await send(front.url, path);
    expect([reply.status, reply.text]).toEqual([200, `content of ${uri}`]);
    expect(reply.headers.get('content-type')).toBe('application/octet-stream');
    expect(front.asked).toEqual([uri]);
  });
});

describe('which methods (R2, R3)', () => {
  test.each([
    ['/info', 'GET', ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']],
    ['/aa/token?token_type=kbs', 'GET', ['POST', 'PUT', 'DELETE']],
    ['/aa/evidence?runtime_data=x', 'GET', ['POST']],
    ['/aa/additional-evidence?runtime_data=x', 'GET', ['POST']],
    ['/aa/aael', 'POST', ['GET', 'PUT']],
    ['/cdh/resource/a/b/c', 'GET', ['POST', 'PUT', 'DELETE', 'HEAD']],
    ['/cdh/plugin/a/b/c', 'GET', ['POST']],
  ] as const)('%s is for %s', async (path, allowed, others) => {
    for (const method of others) {
      const reply = await send(front.url, path, { method });
      expect([reply.status, reply.code, reply.headers.get('allow')]).toEqual([
        405,
        'METHOD_NOT_ALLOWED',
        allowed,
      ]);
      if (method !== 'HEAD') expect(reply.text).toBe('Method Not Allowed');
    }
    expect([front.asked, front.agent.state.seen]).toEqual([[], []]);
  });
});

describe('what is refused before a peer is front.asked', () => {
  test.each([
    ['/', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/unknown', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/foo/bar', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/info/', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/aa', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/aa/token/', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/aa/unknown', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/cdh/resource', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/cdh/unknown', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/AA/token?token_type=kbs', 404, 'PATH_NOT_FOUND', 'URL NOT FOUND'],
    ['/aa/token', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/token?token_type=', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/token?token_type=kbs&token_type=coco_as', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/token?token_type=kbs&more=1', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/evidence', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/evidence?runtime_data=00&encoding=hex', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/evidence?runtime_data=_%2B&encoding=base64', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/aa/evidence?runtime_data=YQ==&encoding=base64', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/info?x=1', 400, 'PARAMETER_MALFORMED', 'BAD REQUEST'],
    ['/cdh/resource/', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource//a/b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a/b/', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a/../b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a/%2e%2e/b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a/%252e%252e/b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a%2fb/c', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/resource/a/b/c?x=1&x=2', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/plugin/', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/plugin/a', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/plugin//a', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/plugin/a:%2f%2fhost/b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['/cdh/plugin/a:/b', 400, 'RESOURCE_NAME_REFUSED', 'BAD REQUEST'],
    ['http://127.0.0.1/info', 400, 'TARGET_MALFORMED', 'BAD REQUEST'],
    [`/info?${'x'.repeat(8192)}`, 414, 'TARGET_TOO_LONG', 'URI TOO LONG'],
  ])('%s: %i', async (target, status, code, words) => {
    expect(outcome(await sendRaw(front.url, target))).toEqual([status, code, words]);
    expect([front.asked, front.agent.state.seen]).toEqual([[], []]);
  });

  test.each([
    ['no JSON', '{'],
    ['a member too few', '{"domain":"d","operation":"o"}'],
    ['a member too many', '{"domain":"d","operation":"o","content":"c","more":1}'],
    ['no text', '{"domain":"d","operation":"o","content":1}'],
    ['a register that is none', '{"domain":"d","operation":"o","content":"c","register_index":-1}'],
    ['a member twice', '{"domain":"d","operation":"o","content":"c","content":"e"}'],
    ['nothing', ''],
  ])('an event of %s (R2)', async (_what, body) => {
    expect(outcome(await send(front.url, '/aa/aael', { method: 'POST', body }))).toEqual([
      400,
      'BODY_MALFORMED',
      'BAD REQUEST',
    ]);
    expect(front.agent.state.seen).toEqual([]);
  });

  test('a body that is too large (R4)', async () => {
    const body = ' '.repeat((1 << 20) + 1);
    expect(outcome(await sendRaw(front.url, '/aa/aael', { method: 'POST', body }))).toEqual([
      413,
      'BODY_TOO_LARGE',
      'PAYLOAD TOO LARGE',
    ]);
  });
});
