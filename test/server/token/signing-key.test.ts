import 'reflect-metadata';
import { generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { makeSigningKey, signingKeyFromPem, signingKeyFromStore } from '../../../server/token/signing-key.ts';
import { AT } from './fake-issuer.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject, type: 'sec1' | 'pkcs8'): string =>
  key.export({ type, format: 'pem' }).toString();

describe('signingKeyFromStore', () => {
  it('makes the key that was kept', () => {
    const made = makeSigningKey();
    expect(signingKeyFromStore(made.secret).publicJwk).toEqual(made.publicJwk);
    expect(made.publicJwk).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect(made.publicJwk).not.toHaveProperty('d');
  });
});

describe('signingKeyFromPem', () => {
  it.each(['sec1', 'pkcs8'] as const)('reads %s', (form) => {
    expect(signingKeyFromPem(pem(privateKey, form)).publicJwk).toMatchObject({ crv: 'P-256' });
  });

  it('puts the certificates into the header', async () => {
    const certificates = `${await certify(privateKey)}\n${await certify(privateKey)}`;
    const { encodedHeader } = signingKeyFromPem(pem(privateKey, 'pkcs8'), certificates);
    const header = JSON.parse(Buffer.from(encodedHeader, 'base64url').toString()) as {
      jwk: { x5c: string[] };
    };
    expect(header.jwk.x5c).toHaveLength(2);
    expect(header.jwk.x5c[0]).toMatch(/^MII/);
  });

  it.each([
    [
      'another curve',
      'SIGNING_KEY_UNSUPPORTED',
      pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'sec1'),
    ],
    [
      'an RSA key',
      'SIGNING_KEY_UNSUPPORTED',
      pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'pkcs8'),
    ],
    ['no key', 'SIGNING_KEY_MALFORMED', 'secret text that is no key'],
  ])('refuses %s', (_what, code, text) => {
    expect(() => signingKeyFromPem(text)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('quotes nothing of a file that is no key', () => {
    expect(() => signingKeyFromPem('secret text')).toThrow(/^expected a private key in SEC1 or PKCS#8 form$/);
  });

  it.each([
    ['no certificate', 'SIGNING_CERTIFICATE_MALFORMED', 'nothing'],
    [
      'a broken one',
      'SIGNING_CERTIFICATE_MALFORMED',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
    ],
  ])('refuses %s', (_what, code, certificates) => {
    expect(() => signingKeyFromPem(pem(privateKey, 'sec1'), certificates)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it("refuses another key's certificate", async () => {
    const foreign = await certify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    expect(() => signingKeyFromPem(pem(privateKey, 'sec1'), foreign)).toThrow(
      expect.objectContaining({ code: 'SIGNING_CERTIFICATE_MISMATCH' }) as Error,
    );
  });
});

async function certify(key: KeyObject): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const signer = await crypto.subtle.importKey(
    'pkcs8',
    key.export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    true,
    ['sign'],
  );
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', signer);
  const publicKey = await crypto.subtle.importKey(
    'jwk',
    { kty, crv, x, y } as webcrypto.JsonWebKey,
    algorithm,
    true,
    ['verify'],
  );
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=signer',
    notBefore: AT,
    notAfter: new Date(AT.getTime() + 86_400_000),
    signingAlgorithm: algorithm,
    keys: { privateKey: signer, publicKey },
  });
  return certificate.toString('pem');
}
