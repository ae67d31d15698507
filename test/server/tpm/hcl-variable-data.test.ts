import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { readHclVariableData } from '../../../server/tpm/hcl-variable-data.ts';
import { createFakeAk } from '../../fakes/tpm-quote.ts';

const { publicKey } = createFakeAk();
const jwk = { kid: 'HCLAkPub', key_ops: ['sign'], ...publicKey.export({ format: 'jwk' }) };
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const odd = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey;
const userData = 'AB'.repeat(64);

const read = (document: unknown): ReturnType<typeof readHclVariableData> =>
  readHclVariableData(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)));

describe('readHclVariableData', () => {
  it('reads key and user data, and passes over what else there is', () => {
    const others = [{ ...jwk, kid: 'HCLEkPub', key_ops: ['encrypt'] }];
    const data = read({ keys: [...others, jwk], 'user-data': userData, 'vm-configuration': { tpm: true } });
    expect(data.attestationKey.spki).toEqual(publicKey.export({ type: 'spki', format: 'der' }));
    expect(data.userData).toEqual(Buffer.alloc(64, 0xab));
    expect(read({ keys: [jwk] }).userData).toBeUndefined();
    expect(read({ keys: [jwk], 'user-data': userData.toLowerCase() }).userData).toEqual(
      Buffer.alloc(64, 0xab),
    );
  });

  it.each<[string, unknown, string]>([
    ['no attestation key', { keys: [{ ...jwk, kid: 'HCLEkPub' }] }, 'HCL_VARIABLE_DATA_MALFORMED'],
    ['two attestation keys', { keys: [jwk, jwk] }, 'HCL_VARIABLE_DATA_MALFORMED'],
    ['no keys', {}, 'HCL_VARIABLE_DATA_MALFORMED'],
    ['17 keys', { keys: Array.from({ length: 17 }, () => jwk) }, 'HCL_VARIABLE_DATA_MALFORMED'],
    ['a key of another type', { keys: [{ ...jwk, kty: 'oct' }] }, 'HCL_VARIABLE_DATA_MALFORMED'],
    ['a key for encryption', { keys: [{ ...jwk, key_ops: ['encrypt'] }] }, 'HCL_VARIABLE_DATA_MALFORMED'],
    [
      'a modulus that is no base64url',
      { keys: [{ ...jwk, n: `${jwk.n!}=` }] },
      'HCL_VARIABLE_DATA_MALFORMED',
    ],
    ['no modulus', { keys: [{ ...jwk, n: undefined }] }, 'TPM_KEY_UNSUITABLE'],
    ['a key of 1024 bits', { keys: [{ ...jwk, ...small }] }, 'TPM_KEY_UNSUITABLE'],
    ['an exponent of 3', { keys: [{ ...jwk, ...odd.export({ format: 'jwk' }) }] }, 'TPM_KEY_UNSUITABLE'],
    ['63 bytes of user data', { keys: [jwk], 'user-data': 'ab'.repeat(63) }, 'HCL_VARIABLE_DATA_MALFORMED'],
    [
      'user data that is no hex',
      { keys: [jwk], 'user-data': 'xy'.repeat(64) },
      'HCL_VARIABLE_DATA_MALFORMED',
    ],
    ['a member twice', '{"keys":[],"keys":[]}', 'HCL_VARIABLE_DATA_MALFORMED'],
    ['no JSON', '{"keys":', 'HCL_VARIABLE_DATA_MALFORMED'],
    ['no object', '[]', 'HCL_VARIABLE_DATA_MALFORMED'],
  ])('refuses %s', (_what, document, code) => {
    expect(() => read(document)).toThrow(expect.objectContaining({ code }));
  });

  it('throws nothing but errors of ours', () => {
    const text = JSON.stringify({ keys: [jwk], 'user-data': userData });
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.uint8Array({ minLength: 1, maxLength: 3 }), (at, bytes) => {
        const changed = Buffer.from(text);
        changed.set(bytes.subarray(0, text.length - at), at);
        try {
          readHclVariableData(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
