import { describe, expect, it } from 'vitest';
import { attestationMessageSchema } from '../../../server/protocol/background-check.ts';
import { handshakeChallengeSchema, handshakeRequestSchema } from '../../../server/protocol/handshake.ts';
import { sealedResourceSchema } from '../../../server/protocol/sealed-resource.ts';

const REQUEST = { version: '0.4.0', tee: 'snp', 'extra-params': {} };
const MESSAGE = {
  'init-data': null,
  'runtime-data': { nonce: 'n', 'tee-pubkey': { kty: 'EC' } },
  'tee-evidence': { primary_evidence: {}, additional_evidence: '' },
};
const SEALED = { protected: 'AA', encrypted_key: 'AA', iv: 'AA', ciphertext: '', tag: 'AA' };

describe('handshakeRequestSchema', () => {
  it.each([null, '', {}, [], 0, false])('takes extra-params of %j', (extra) => {
    expect(handshakeRequestSchema.safeParse({ ...REQUEST, 'extra-params': extra }).success).toBe(true);
  });

  it.each([
    [{ version: '0.4.0', tee: 'snp' }],
    [{ ...REQUEST, version: 4 }],
    [{ ...REQUEST, tee: null }],
    [[]],
    [null],
  ])('refuses %j', (message) => {
    expect(handshakeRequestSchema.safeParse(message).success).toBe(false);
  });
});

describe('handshakeChallengeSchema', () => {
  it.each([
    { nonce: 'n', 'extra-params': '' },
    { nonce: 'n', 'extra-params': { 'selected-hash-algorithm': 'sha512' } },
  ])('takes %j', (message) => {
    expect(handshakeChallengeSchema.parse(message)).toEqual(message);
  });
});

describe('attestationMessageSchema', () => {
  it.each([
    ['init-data', { ...MESSAGE, 'init-data': { format: 'toml', body: '' } }],
    ['no init-data', { 'runtime-data': MESSAGE['runtime-data'], 'tee-evidence': MESSAGE['tee-evidence'] }],
    ['evidence of null', { ...MESSAGE, 'tee-evidence': { primary_evidence: null, additional_evidence: '' } }],
    ['further members', { ...MESSAGE, more: 1 }],
  ])('takes a message with %s', (_what, message) => {
    expect(attestationMessageSchema.safeParse(message).success).toBe(true);
  });
});

describe('sealedResourceSchema', () => {
  it('takes exactly what is opened', () => {
    expect(sealedResourceSchema.parse(SEALED)).toEqual(SEALED);
  });

  it.each(Object.keys(SEALED))('refuses one without %s', (member) => {
    expect(sealedResourceSchema.safeParse({ ...SEALED, [member]: undefined }).success).toBe(false);
  });

  it('refuses another alphabet', () => {
    expect(sealedResourceSchema.safeParse({ ...SEALED, tag: 'A+' }).success).toBe(false);
  });
});
