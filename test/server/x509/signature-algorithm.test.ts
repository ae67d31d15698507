import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DerReader } from '../../../server/x509/der-reader.ts';
import { readSignatureAlgorithm, verifySignature } from '../../../server/x509/signature-algorithm.ts';

/** The content of an AlgorithmIdentifier, from hex. */
const read = (hex: string): unknown => readSignatureAlgorithm(new DerReader(Buffer.from(hex, 'hex')));
const der = (tag: string, content: string): string =>
  `${tag}${(content.length / 2).toString(16).padStart(2, '0')}${content}`;

const SHA256 = der('06', '608648016503040201');
const SHA384 = der('06', '608648016503040202');
const SHA224 = der('06', '608648016503040204');
const MGF1 = der('06', '2a864886f70d010108');
const PSS = der('06', '2a864886f70d01010a');

interface Pss {
  readonly hash?: string | undefined;
  readonly mask?: string;
  readonly maskHash?: string;
  readonly salt?: string | undefined;
  readonly trailer?: string;
}

function pss(options: Pss = {}): string {
  const { hash, mask, maskHash, salt, trailer } = {
    hash: SHA384,
    mask: MGF1,
    maskHash: SHA384,
    salt: '30',
    ...options,
  };
  return (
    PSS +
    der(
      '30',
      (hash === undefined ? '' : der('a0', der('30', hash))) +
        der('a1', der('30', mask + der('30', maskHash))) +
        (salt === undefined ? '' : der('a2', der('02', salt))) +
        (trailer === undefined ? '' : der('a3', der('02', trailer))),
    )
  );
}

describe('readSignatureAlgorithm', () => {
  it.each([
    ['RSA with SHA-256', `${der('06', '2a864886f70d01010b')}0500`, { scheme: 'rsa-pkcs1', hash: 'sha256' }],
    ['ECDSA with SHA-384', der('06', '2a8648ce3d040303'), { scheme: 'ecdsa', hash: 'sha384' }],
    ['Ed25519', der('06', '2b6570'), { scheme: 'ed25519', hash: undefined }],
    ['RSA-PSS', pss(), { scheme: 'rsa-pss', hash: 'sha384' }],
    [
      'RSA-PSS with its only trailer written out',
      pss({ trailer: '01' }),
      { scheme: 'rsa-pss', hash: 'sha384' },
    ],
    [
      'RSA-PSS with NULL parameters of its hash',
      pss({ hash: `${SHA256}0500`, maskHash: SHA256, salt: '20' }),
      { scheme: 'rsa-pss', hash: 'sha256' },
    ],
  ])('reads %s', (_what, hex, expected) => {
    expect(read(hex)).toEqual(expected);
  });

  it.each([
    ['RSA with SHA-1', `${der('06', '2a864886f70d010105')}0500`],
    ['RSA with MD5', `${der('06', '2a864886f70d010104')}0500`],
    ['ECDSA with SHA-1', der('06', '2a8648ce3d0401')],
    ['RSA-PSS without a hash, which means SHA-1', pss({ hash: undefined })],
    ['RSA-PSS with SHA-224', pss({ hash: SHA224, maskHash: SHA224, salt: '1c' })],
    ['RSA-PSS with two hashes', pss({ maskHash: SHA256 })],
    ['RSA-PSS with another mask', pss({ mask: SHA384 })],
    ['RSA-PSS with a salt of 32 bytes', pss({ salt: '20' })],
    ['RSA-PSS with the default salt', pss({ salt: undefined })],
    ['RSA-PSS with another trailer', pss({ trailer: '02' })],
  ])('refuses %s', (_what, hex) => {
    expect(() => read(hex)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_ALGORITHM_UNSUPPORTED' }));
  });

  it('refuses parameters where there are none', () => {
    expect(() => read(`${der('06', '2a8648ce3d040303')}0201ff`)).toThrow(
      expect.objectContaining({ code: 'ENCODING_MALFORMED' }),
    );
  });
});

describe('verifySignature', () => {
  const data = Uint8Array.of(1, 2, 3);
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ed = generateKeyPairSync('ed25519');
  const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });

  it('tells right from wrong', () => {
    const signature = sign('sha256', data, p256.privateKey);
    const ecdsa = { scheme: 'ecdsa', hash: 'sha256' } as const;
    expect(verifySignature(ecdsa, p256.publicKey, data, signature)).toBe(true);
    expect(verifySignature(ecdsa, p256.publicKey, Uint8Array.of(1), signature)).toBe(false);
  });

  it.each([
    ['an RSA key for ECDSA', { scheme: 'ecdsa', hash: 'sha256' }, rsa],
    ['a curve that no vendor uses', { scheme: 'ecdsa', hash: 'sha256' }, k1],
    ['an EC key for RSA', { scheme: 'rsa-pkcs1', hash: 'sha256' }, p256],
    ['an EC key for RSA-PSS', { scheme: 'rsa-pss', hash: 'sha256' }, p256],
    ['an RSA key for Ed25519', { scheme: 'ed25519', hash: undefined }, rsa],
    ['an Ed25519 key for RSA', { scheme: 'rsa-pkcs1', hash: 'sha256' }, ed],
  ] as const)('refuses %s', (_what, algorithm, { publicKey }) => {
    expect(() => verifySignature(algorithm, publicKey, data, new Uint8Array(64))).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_ALGORITHM_UNSUPPORTED' }),
    );
  });
});
