import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  createTeeKey,
  importTeeKey,
  parseTeeKeyAlgorithm,
  TEE_KEY_ALGORITHMS,
} from '../../../agent/tee-key/tee-key.ts';
import { parseTeeKeyPem, teeKeyPem } from '../../../agent/tee-key/tee-key-pem.ts';
import { parseTeePublicKey } from '../../../server/token/tee-public-key.ts';

const FORMS = [
  ['ECDH-ES+A256KW-P256', { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW' }, ['x', 'y'], 'PRIVATE KEY'],
  ['ECDH-ES+A256KW-P521', { kty: 'EC', crv: 'P-521', alg: 'ECDH-ES+A256KW' }, ['x', 'y'], 'PRIVATE KEY'],
  ['RSA-OAEP-256', { kty: 'RSA', alg: 'RSA-OAEP-256' }, ['n', 'e'], 'RSA PRIVATE KEY'],
] as const;

test.each(FORMS)(
  '%s: public key and PEM as upstream writes them',
  async (algorithm, members, rest, label) => {
    const key = await createTeeKey(algorithm);
    expect(Object.keys(key.publicJwk).toSorted()).toEqual([...Object.keys(members), ...rest].toSorted());
    expect(key.publicJwk).toMatchObject(members);
    expect(() => parseTeePublicKey(key.publicJwk)).not.toThrow();

    const pem = teeKeyPem(key);
    expect(pem).toMatch(new RegExp(`^-----BEGIN ${label}-----\n[A-Za-z0-9+/=\n]+-----END ${label}-----\n$`));
    const { kty, crv, x, y, n, e } = createPublicKey(createPrivateKey(pem)).export({ format: 'jwk' });
    expect(key.publicJwk).toMatchObject(kty === 'EC' ? { kty, crv, x, y } : { kty, n, e });
    expect((await parseTeeKeyPem(pem)).publicJwk).toEqual(key.publicJwk);
    expect((await parseTeeKeyPem(pem)).algorithm).toBe(algorithm);
  },
);

test('every key is another', async () => {
  expect((await createTeeKey()).publicJwk).not.toEqual((await createTeeKey()).publicJwk);
});

test('other forms of PEM are read too', async () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  expect((await parseTeeKeyPem(String(ec.export({ type: 'sec1', format: 'pem' })))).algorithm).toBe(
    'ECDH-ES+A256KW-P256',
  );
  expect((await parseTeeKeyPem(String(rsa.export({ type: 'pkcs8', format: 'pem' })))).algorithm).toBe(
    'RSA-OAEP-256',
  );
});

test.each([
  ['no PEM', 'nothing'],
  ['a public key', String(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }))],
  [
    'a key of another kind',
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  ],
  [
    'a key on another curve',
    String(
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  ],
  [
    'RSA of 1024 bits',
    String(
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  ],
  ['a text that is far too long', '-'.repeat(20_000)],
])('refuses %s', async (_what, pem) => {
  await expect(parseTeeKeyPem(pem)).rejects.toMatchObject({ code: 'TEE_KEY_MALFORMED' });
  await expect(parseTeeKeyPem(pem)).rejects.not.toHaveProperty('cause'); // it might repeat the key
});

test('a private key that does not belong to its point is refused', async () => {
  const [left, right] = [1, 2].map(() =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  );
  await expect(importTeeKey({ ...left, x: 'AAAA' })).rejects.toMatchObject({ code: 'TEE_KEY_MALFORMED' });
  await expect(importTeeKey({ ...left, d: right?.d })).rejects.toMatchObject({ code: 'TEE_KEY_MALFORMED' });
  await expect(importTeeKey(undefined)).rejects.toMatchObject({ code: 'TEE_KEY_MALFORMED' });
});

test('algorithms by the names of the configuration; ML-KEM is refused before anything is attested (K12)', () => {
  expect(TEE_KEY_ALGORITHMS.map(parseTeeKeyAlgorithm)).toEqual(TEE_KEY_ALGORITHMS);
  expect(() => parseTeeKeyAlgorithm('ML-KEM-768+A192KW')).toThrow(
    expect.objectContaining({
      code: 'TEE_KEY_ALGORITHM_UNSUPPORTED',
      message: expect.stringContaining("'ML-KEM-768+A192KW', which has no settled form") as string,
    }),
  );
  expect(() => parseTeeKeyAlgorithm('RSA1_5')).toThrow(
    expect.objectContaining({ code: 'TEE_KEY_ALGORITHM_UNSUPPORTED' }),
  );
});
