import 'reflect-metadata';
import { generateKeyPairSync, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEarVerifier } from '../../../server/token/ear-verifier.ts';
import { endorsedHeaderKeys } from '../../../server/token/jwk-endorsement.ts';
import { parseCertificate } from '../../../server/x509/certificate.ts';
import { AT, fakeIssuer, GOOD_CLAIMS } from './fake-issuer.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const issuer = fakeIssuer();
const stranger = fakeIssuer();
let root: Authority;
let decoy: Authority;
let upper: Authority;
let lower: Authority;
let leafOfRoot: x509.X509Certificate;
let leafOfLower: x509.X509Certificate;
let edwardsLeaf: x509.X509Certificate;

beforeAll(async () => {
  root = await authority('root');
  decoy = await authority('decoy');
  upper = await authority('upper', root);
  lower = await authority('lower', upper);
  leafOfRoot = await leaf(root);
  leafOfLower = await leaf(lower);
  const edwards = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  const edwardsKey = await crypto.subtle.importKey('spki', edwards, { name: 'Ed25519' }, true, ['verify']);
  edwardsLeaf = await certify('leaf', edwardsKey, root, []);
});

describe('endorsedHeaderKeys', () => {
  it.each<[string, () => x509.X509Certificate[], () => x509.X509Certificate[]]>([
    ['a leaf of the root', () => [leafOfRoot], () => [root.certificate]],
    ['a root that comes along', () => [leafOfRoot, root.certificate], () => [root.certificate]],
    [
      'intermediates in order',
      () => [leafOfLower, lower.certificate, upper.certificate],
      () => [root.certificate],
    ],
    [
      'intermediates out of order',
      () => [leafOfLower, upper.certificate, lower.certificate],
      () => [decoy.certificate, root.certificate],
    ],
    [
      'a decoy among them',
      () => [leafOfLower, decoy.certificate, upper.certificate, lower.certificate],
      () => [decoy.certificate, root.certificate],
    ],
  ])('accepts %s', async (_what, chain, trusted) => {
    await expect(verify(withChain(chain()), trusted())).resolves.toBeDefined();
  });

  it('reads base64url and line breaks too', async () => {
    const text = Buffer.from(leafOfRoot.rawData);
    await expect(verify(withX5c([text.toString('base64url')]))).resolves.toBeDefined();
    await expect(
      verify(withX5c([text.toString('base64').replaceAll(/(.{64})/g, '$1\n')])),
    ).resolves.toBeDefined();
  });

  it.each<[string, () => string]>([
    ['no header key', () => issuer.token(GOOD_CLAIMS)],
    ['no certificates', () => issuer.token(GOOD_CLAIMS, { jwk: issuer.publicJwk })],
    ['an empty list', () => withX5c([])],
    ['certificates that are no list', () => withX5c('x')],
    [
      'too many',
      () => withX5c(Array.from({ length: 11 }, () => Buffer.from(leafOfRoot.rawData).toString('base64'))),
    ],
    ['an entry that is no text', () => withX5c([{}])],
    ['an entry that is no base64', () => withX5c(['%'])],
    ['an entry that is no certificate', () => withX5c(['AAAA'])],
    ['a giant entry', () => withX5c(['A'.repeat(20_000)])],
    ['a missing intermediate', () => withChain([leafOfLower, upper.certificate])],
    [
      "another key's certificate",
      () => stranger.token(GOOD_CLAIMS, { jwk: { ...stranger.publicJwk, x5c: x5c([leafOfRoot]) } }),
    ],
    ['a certificate of another kind of key', () => withChain([edwardsLeaf])],
    ['the root as leaf', () => withChain([root.certificate, leafOfRoot])],
  ])('refuses %s', async (_what, token) => {
    await expect(verify(token())).rejects.toMatchObject({ code: 'TOKEN_KEY_NOT_ENDORSED' });
  });

  it('refuses a path to another root', async () => {
    await expect(verify(withChain([leafOfRoot]), [decoy.certificate])).rejects.toMatchObject({
      code: 'TOKEN_KEY_NOT_ENDORSED',
    });
  });

  it('does not take a trusted intermediate for a root', async () => {
    await expect(verify(withChain([leafOfLower]), [lower.certificate])).rejects.toMatchObject({
      code: 'TOKEN_KEY_NOT_ENDORSED',
    });
  });

  it('refuses a path whose certificates have expired', async () => {
    const later = new Date(AT.getTime() + 3 * DAY);
    const claims = { ...GOOD_CLAIMS, exp: later.getTime() / 1000 + 300 };
    const token = issuer.token(claims, { jwk: { ...issuer.publicJwk, x5c: x5c([leafOfRoot]) } });
    await expect(verify(token, [root.certificate], later)).rejects.toMatchObject({
      code: 'TOKEN_KEY_NOT_ENDORSED',
    });
  });

  it('refuses to trust nothing', () => {
    expect(() => endorsedHeaderKeys([])).toThrow(
      expect.objectContaining({ code: 'KEY_SOURCE_INVALID' }) as Error,
    );
  });
});

async function verify(token: string, trusted = [root.certificate], at = AT): Promise<unknown> {
  const keys = endorsedHeaderKeys(trusted.map(({ rawData }) => parseCertificate(new Uint8Array(rawData))));
  return await createEarVerifier({
    issuers: [{ issuer: 'an attestation service', audience: undefined, profiles: undefined, keys }],
  })(token, at);
}

const x5c = (chain: x509.X509Certificate[]): string[] =>
  chain.map(({ rawData }) => Buffer.from(rawData).toString('base64'));
const withX5c = (value: unknown): string =>
  issuer.token(GOOD_CLAIMS, { jwk: { ...issuer.publicJwk, x5c: value } });
const withChain = (chain: x509.X509Certificate[]): string => withX5c(x5c(chain));

async function authority(name: string, parent?: Authority): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await certify(name, keys.publicKey, parent ?? { name: `CN=${name}`, keys }, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
  ]);
  return { certificate, keys };
}

async function leaf(parent: Authority): Promise<x509.X509Certificate> {
  const { kty, crv, x, y } = issuer.publicJwk;
  const jwk = { kty, crv, x, y } as webcrypto.JsonWebKey;
  const publicKey = await crypto.subtle.importKey('jwk', jwk, ALGORITHM, true, ['verify']);
  return await certify('leaf', publicKey, parent, []);
}

async function certify(
  name: string,
  publicKey: webcrypto.CryptoKey,
  parent: Authority | { readonly name: string; readonly keys: webcrypto.CryptoKeyPair },
  extensions: x509.Extension[],
): Promise<x509.X509Certificate> {
  return await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: 'name' in parent ? parent.name : parent.certificate.subject,
    notBefore: new Date(AT.getTime() - DAY),
    notAfter: new Date(AT.getTime() + DAY),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: parent.keys.privateKey,
    extensions,
  });
}
