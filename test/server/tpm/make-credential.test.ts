import { constants, createDecipheriv, createHmac, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { kdfa, makeCredential } from '../../../server/tpm/make-credential.ts';
import { createFakeAk, sized } from '../../fakes/tpm-quote.ts';

const name = Buffer.from(`000b${'77'.repeat(32)}`, 'hex');
const secret = new Uint8Array(32).fill(0x5e);

describe('makeCredential', () => {
  it.each([
    ['sha256', 128],
    ['sha384', 256],
  ] as const)('makes what the key of a TPM opens: %s, AES-%i', (nameHash, symmetricBits) => {
    const ek = createFakeAk();
    const { credentialBlob, encryptedSecret } = makeCredential(
      { publicKey: ek.publicKey, nameHash, symmetricBits },
      name,
      secret,
    );
    const hashBytes = nameHash === 'sha256' ? 32 : 48;
    expect(encryptedSecret.subarray(0, 2)).toEqual(Buffer.of(1, 0));
    const seed = privateDecrypt(
      {
        key: ek.privateKey,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: nameHash,
        oaepLabel: Buffer.from('IDENTITY\0'),
      },
      encryptedSecret.subarray(2),
    );
    expect(seed.byteLength).toBe(hashBytes);
    const integrity = credentialBlob.subarray(4, 4 + hashBytes);
    const identity = credentialBlob.subarray(4 + hashBytes);
    const integrityKey = kdfa(nameHash, seed, 'INTEGRITY', new Uint8Array(), 8 * hashBytes);
    expect(createHmac(nameHash, integrityKey).update(identity).update(name).digest()).toEqual(integrity);
    const storageKey = kdfa(nameHash, seed, 'STORAGE', name, symmetricBits);
    const decipher = createDecipheriv(`aes-${symmetricBits}-cfb`, storageKey, new Uint8Array(16));
    expect(Buffer.concat([decipher.update(identity), decipher.final()])).toEqual(sized(secret));
  });

  it('refuses an elliptic key, and a secret that is longer than the hash', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ek = { publicKey, nameHash: 'sha256', symmetricBits: 128 } as const;
    const refused = expect.objectContaining({ code: 'TPM_KEY_UNSUITABLE' }) as Error;
    expect(() => makeCredential(ek, name, secret)).toThrow(refused);
    const rsa = { ...ek, publicKey: createFakeAk().publicKey };
    expect(() => makeCredential(rsa, name, new Uint8Array(33))).toThrow(refused);
  });
});

describe('kdfa', () => {
  it('goes on over several blocks, whose length is under each of them', () => {
    const long = kdfa('sha256', secret, 'STORAGE', name, 512);
    const first = createHmac('sha256', secret)
      .update(Buffer.from('00000001', 'hex'))
      .update('STORAGE\0')
      .update(name)
      .update(Buffer.from('00000200', 'hex'))
      .digest();
    expect(long).toHaveLength(64);
    expect(long.subarray(0, 32)).toEqual(first);
    expect(kdfa('sha256', secret, 'STORAGE', name, 256)).not.toEqual(first);
  });
});
