import { expect, it } from 'vitest';
import { toCallFailure } from '../../../agent/attestation-agent/agent-failure.ts';
import { AttesterError } from '../../../agent/attestation-agent/attesters/attester-error.ts';
import { reasonOf } from '../../../agent/rpc/failure-reason.ts';
import { RpcError } from '../../../agent/rpc/rpc-error.ts';

it('a failure has upstream’s words, our code in brackets, and its cause', () => {
  const cause = new AttesterError('TSM_CONTESTED', 'somebody else writes');
  const failure = toCallFailure('AA get evidence failed', cause);
  expect(failure).toMatchObject({
    code: 'UNAVAILABLE',
    message: 'AA get evidence failed (TSM_CONTESTED)',
    cause,
  });
  expect(reasonOf(failure)).toBe('TSM_CONTESTED');
});

it('what is no failure of ours says so and nothing of itself', () => {
  expect(toCallFailure('AA get token failed', new Error('s3cret'))).toMatchObject({
    code: 'INTERNAL',
    message: 'AA get token failed (INTERNAL)',
  });
});

it('what is an answer already stays', () => {
  const error = new RpcError('CANCELLED', 'given up');
  expect(toCallFailure('AA get token failed', error)).toBe(error);
});

it('other agents give no reason', () => {
  expect(
    reasonOf(new RpcError('INTERNAL', '[ERROR:attestation-agent] AA-KBC get token failed')),
  ).toBeUndefined();
});
