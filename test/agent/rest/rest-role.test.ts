import { describe, expect, test } from 'vitest';
import { RpcError } from '../../../agent/rpc/rpc-error.ts';
import { startFakeAttestationAgent } from '../../fakes/fake-attestation-agent.ts';
import { send } from '../../harness/http.ts';
import { outcome, useRestFront } from '../../harness/rest-front.ts';

const front = useRestFront();

describe('what a peer fails with (R1, R5)', () => {
  const told = (code: ConstructorParameters<typeof RpcError>[0], reason: string): RpcError =>
    new RpcError(code, `[CDH] [ERROR]: Get Resource failed (${reason})`);

  test.each<[number, string, string, Error]>([
    [404, 'RESOURCE_NOT_FOUND', 'NOT FOUND', told('NOT_FOUND', 'RESOURCE_NOT_FOUND')],
    [403, 'POLICY_DENIED', 'Forbidden', told('PERMISSION_DENIED', 'POLICY_DENIED')],
    [403, 'CREDENTIALS_REFUSED', 'Forbidden', told('UNAUTHENTICATED', 'CREDENTIALS_REFUSED')],
    [400, 'REQUEST_REFUSED', 'BAD REQUEST', told('INVALID_ARGUMENT', 'REQUEST_REFUSED')],
    [503, 'SERVER_UNREACHABLE', 'Service Unavailable', told('UNAVAILABLE', 'SERVER_UNREACHABLE')],
    [504, 'DEADLINE_EXCEEDED', 'Gateway Timeout', told('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED')],
    [502, 'TOKEN_MALFORMED', 'Bad Gateway', told('INTERNAL', 'TOKEN_MALFORMED')],
    [502, 'PEER_INTERNAL', 'Bad Gateway', new Error('a secret')],
    [502, 'PEER_NOT_FOUND', 'Bad Gateway', new RpcError('NOT_FOUND', '/api.X/Y is not supported')],
  ])('%i, %s', async (status, code, words, error) => {
    front.failHubWith(error);
    expect(outcome(await send(front.url, '/cdh/resource/a/b/c'))).toEqual([status, code, words]);
  });

  test('the agent’s failure is a reply, of /info as well (R1)', async () => {
    front.agent.state.failure = new RpcError('INTERNAL', 'a secret');
    expect(outcome(await send(front.url, '/info'))).toEqual([502, 'PEER_INTERNAL', 'Bad Gateway']);
    expect(outcome(await send(front.url, '/aa/token?token_type=kbs'))).toEqual([
      502,
      'PEER_INTERNAL',
      'Bad Gateway',
    ]);
  });
});

describe('peers come when they come (R7)', () => {
  test('a front starts without them, and finds them later', async () => {
    const early = await front.start({ agentAddress: front.place.uri('late') });
    const reply = await send(early, '/aa/token?token_type=kbs');
    expect([...outcome(reply), reply.headers.get('retry-after')]).toEqual([
      503,
      'PEER_UNAVAILABLE',
      'Service Unavailable',
      '1',
    ]);
    const late = await startFakeAttestationAgent(front.place.address('late'));
    expect((await send(early, '/aa/token?token_type=kbs')).text).toBe('token of kbs');
    await late.close();
    expect((await send(early, '/aa/token?token_type=kbs')).status).toBe(503);
    const again = await startFakeAttestationAgent(front.place.address('late'));
    front.place.defer(async () => {
      await again.close();
    });
    expect((await send(early, '/aa/token?token_type=kbs')).text).toBe('token of kbs');
  });
});

describe('features', () => {
  test('resource: no agent, and nothing said of a TEE', async () => {
    const other = await front.start({ features: 'resource', agentAddress: front.place.uri('nobody') });
    expect((await send(other, '/info')).json()).toEqual({ version: 'Verigo test', feature: 'resource' });
    expect((await send(other, '/cdh/resource/a/b/c')).status).toBe(200);
    for (const path of ['/aa', '/aa/token', '/aa/evidence', '/aa/additional-evidence', '/aa/aael', '/aa/x']) {
      for (const method of ['GET', 'POST'] as const) {
        expect(outcome(await send(other, path, { method }))).toEqual([
          404,
          'ATTESTATION_NOT_ENABLED',
          'Attestation Feature Not Enabled',
        ]);
      }
    }
  });

  test('attestation: no hub', async () => {
    const other = await front.start({ features: 'attestation', hubAddress: front.place.uri('nobody') });
    expect((await send(other, '/info')).json()).toMatchObject({ tee: 'sample', feature: 'attestation' });
    for (const path of ['/cdh', '/cdh/resource/a/b/c', '/cdh/x']) {
      expect(outcome(await send(other, path))).toEqual([
        404,
        'RESOURCE_NOT_ENABLED',
        'Resource Feature Not Enabled',
      ]);
    }
  });
});
