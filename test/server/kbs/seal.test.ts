import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { flattenedDecrypt } from 'jose';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { concatKdf, seal } from '../../../server/kbs/seal.ts';
import { parseTeePublicKey } from '../../../server/token/tee-public-key.ts';

const KEYS: Readonly<Record<string, { readonly jwk: JsonObject; readonly privateKey: KeyObject }>> = {
  'P-256': ecKey('P-256'),
  'P-521': ecKey('P-521'),
  'RSA 2048': rsaKey(2048),
  'RSA 4096': rsaKey(4096),
};
const headerOf = (sealed: { readonly protected: string }): string =>
  Buffer.from(sealed.protected, 'base64url').toString();

describe.each(Object.entries(KEYS))('seal to %s', (_name, { jwk, privateKey }) => {
  const key = parseTeePublicKey(jwk);

  it.each([
    ['nothing', new Uint8Array()],
    ['text', Buffer.from('shhhhhhh')],
    ['a mebibyte', Buffer.alloc(1_048_576, 0xa5)],
  ])('seals %s so that another implementation opens it', async (_what, content) => {
    const { plaintext } = await flattenedDecrypt(await seal(content, key), privateKey);
    expect(Buffer.from(plaintext).equals(content)).toBe(true);
  });

  it('never repeats a key, an iv or a ciphertext', async () => {
    const content = Buffer.from('the same secret');
    const first = await seal(content, key);
    const second = await seal(content, key);
    for (const member of ['encrypted_key', 'iv', 'ciphertext', 'tag'] as const) {
      expect(second[member]).not.toBe(first[member]);
    }
  });

  it('seals nothing to anybody else', async () => {
    const stranger = typeof jwk['crv'] === 'string' ? ecKey(jwk['crv']) : rsaKey(2048);
    await expect(flattenedDecrypt(await seal(Buffer.from('x'), key), stranger.privateKey)).rejects.toThrow();
  });

  it('binds the header', async () => {
    const sealed = await seal(Buffer.from('x'), key);
    const header = headerOf(sealed).replace('"enc"', ' "enc"');
    const changed = { ...sealed, protected: Buffer.from(header).toString('base64url') };
    await expect(flattenedDecrypt(changed, privateKey)).rejects.toThrow();
  });
});

describe('the protected header', () => {
  it('is exact for RSA', async () => {
    const sealed = await seal(Buffer.from('x'), parseTeePublicKey(rsaKey(2048).jwk));
    expect(sealed.protected).toBe('eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0');
  });

  it.each([
    ['P-256', 43],
    ['P-521', 88],
  ])('is exact for %s, coordinates padded', async (curve, length) => {
    const key = parseTeePublicKey(ecKey(curve).jwk);
    const pattern = new RegExp(
      `^{"alg":"ECDH-ES\\+A256KW","enc":"A256GCM","epk":{"crv":"${curve}","kty":"EC","x":"[\\w-]{${length}}","y":"[\\w-]{${length}}"}}$`,
    );
    for (let count = 0; count < 20; count++)
      expect(headerOf(await seal(Buffer.from('x'), key))).toMatch(pattern);
  });
});

describe('concatKdf', () => {
  it.each([
    [32, 'ead36a3ab953bb6e5a6709471c0fd35fcc62cf920994cede2f3aa2544e9f47ac'],
    [66, '3e6609c07a08404eae372dd90baa6ab82e7f1104c848e414079726e64e92f00c'],
  ])('derives from a shared secret of %d bytes', (length, expected) => {
    const secret = Uint8Array.from({ length }, (_, index) => index);
    expect(Buffer.from(concatKdf(secret, 'ECDH-ES+A256KW')).toString('hex')).toBe(expected);
  });
});

function ecKey(namedCurve: string) {
  return asTeeKey(generateKeyPairSync('ec', { namedCurve }), 'ECDH-ES+A256KW');
}

function rsaKey(modulusLength: number) {
  return asTeeKey(generateKeyPairSync('rsa', { modulusLength }), 'RSA-OAEP-256');
}

function asTeeKey({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }, alg: string) {
  const jwk = JSON.parse(JSON.stringify({ ...publicKey.export({ format: 'jwk' }), alg })) as JsonObject;
  return { jwk, privateKey: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}
