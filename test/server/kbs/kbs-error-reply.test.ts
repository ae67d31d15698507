import { describe, expect, it } from 'vitest';
import { AdminError } from '../../../server/admin/admin-error.ts';
import { AttestationRequestError } from '../../../server/attestation/request-error.ts';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { DecidedError } from '../../../server/errors/decided-error.ts';
import { MalformedError } from '../../../server/errors/malformed-error.ts';
import { KbsError } from '../../../server/kbs/kbs-error.ts';
import { kbsErrorReply } from '../../../server/kbs/kbs-error-reply.ts';
import { PolicyError } from '../../../server/policy/policy.ts';
import { ResourceError } from '../../../server/resources/resource-path.ts';
import { TeeKeyError } from '../../../server/token/tee-public-key.ts';
import { TokenError } from '../../../server/token/token-error.ts';

const malformed = new MalformedError('JSON_MALFORMED', 'no JSON');
const statusError = (statusCode: number) => Object.assign(new Error('said the framework'), { statusCode });

describe('kbsErrorReply', () => {
  it.each<[number, string, string, Error]>([
    [401, 'PolicyDeny', 'POLICY_DENIED', new KbsError('POLICY_DENIED', 'm')],
    [401, 'TokenNotFound', 'TOKEN_NOT_FOUND', new KbsError('TOKEN_NOT_FOUND', 'm')],
    [401, 'TokenVerifierError', 'TOKEN_EXPIRED', new TokenError('TOKEN_EXPIRED', 'm')],
    [401, 'TokenVerifierError', 'TEE_KEY_MISSING', new TeeKeyError('TEE_KEY_MISSING', 'm')],
    [401, 'JweError', 'TEE_KEY_ALGORITHM_UNSUPPORTED', new TeeKeyError('TEE_KEY_ALGORITHM_UNSUPPORTED', 'm')],
    [401, 'AdminAuthAccess', 'ADMIN_ACCESS_DISABLED', new AdminError('ADMIN_ACCESS_DISABLED', 'm')],
    [404, 'PluginInternalError', 'RESOURCE_NOT_FOUND', new KbsError('RESOURCE_NOT_FOUND', 'm')],
    [404, 'PluginNotFound', 'PLUGIN_NOT_FOUND', new KbsError('PLUGIN_NOT_FOUND', 'm')],
    [404, 'RvpsError', 'REFERENCE_VALUE_NOT_FOUND', new KbsError('REFERENCE_VALUE_NOT_FOUND', 'm')],
    [405, 'InvalidRequestPath', 'METHOD_NOT_ALLOWED', new KbsError('METHOD_NOT_ALLOWED', 'm')],
    [400, 'InvalidRequestPath', 'RESOURCE_PATH_INVALID', new ResourceError('RESOURCE_PATH_INVALID', 'm')],
    [413, 'PluginInternalError', 'RESOURCE_TOO_LARGE', new ResourceError('RESOURCE_TOO_LARGE', 'm')],
    [400, 'PluginInternalError', 'JSON_MALFORMED', malformed],
    [500, 'PolicyEngineError', 'POLICY_RESULT_INVALID', new PolicyError('POLICY_RESULT_INVALID', 'm')],
    [503, 'PluginInternalError', 'STORAGE_UNAVAILABLE', new CouldNotCheckError('STORAGE_UNAVAILABLE', 'm')],
    [413, 'PluginInternalError', 'BODY_TOO_LARGE', statusError(413)],
    [415, 'PluginInternalError', 'MEDIA_TYPE_UNSUPPORTED', statusError(415)],
    [429, 'PluginInternalError', 'TOO_MANY_REQUESTS', statusError(429)],
    [400, 'PluginInternalError', 'REQUEST_MALFORMED', statusError(400)],
    [500, 'PluginInternalError', 'INTERNAL_ERROR', statusError(502)],
    [500, 'PluginInternalError', 'INTERNAL_ERROR', new Error('a path and a stack')],
  ])('answers %d %s for %s', (status, type, code, error) => {
    expect(kbsErrorReply(error, 'PluginInternalError')).toMatchObject({
      status,
      code,
      body: { type: `https://github.com/confidential-containers/kbs/errors/${type}` },
      retryAfter: status === 503 || status === 429 ? 1 : undefined,
    });
  });

  it('takes what the attestation service decided for a refusal, and what it could not decide for no verdict', () => {
    const reply = (cause: Error) => kbsErrorReply(new DecidedError('the id', cause), 'AttestationError');
    expect(reply(malformed)).toMatchObject({ status: 401, code: 'JSON_MALFORMED', decisionId: 'the id' });
    expect(reply(malformed).body.detail).toBe('no JSON (decision the id)');
    expect(reply(new CouldNotCheckError('COLLATERAL_UNAVAILABLE', 'm')).status).toBe(503);
    expect(reply(new PolicyError('POLICY_NOT_FOUND', 'm')).status).toBe(500);
    expect(reply(new Error('m')).status).toBe(500);
  });

  it('takes what is no attestation yet for what it is', () => {
    expect(kbsErrorReply(malformed, 'AttestationError').status).toBe(400);
    expect(
      kbsErrorReply(new AttestationRequestError('TEE_NOT_ENABLED', 'm'), 'AttestationError').status,
    ).toBe(401);
  });

  it('tells nothing of a failure of ours', () => {
    expect(kbsErrorReply(new Error('a path and a stack'), 'RvpsError').body.detail).not.toContain('path');
    expect(kbsErrorReply('text', 'RvpsError').status).toBe(500);
  });
});
