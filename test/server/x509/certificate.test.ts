import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import {
  extension,
  normalizeSerial,
  parseCertificate,
  parseCertificateBundle,
  parseCertificateFile,
} from '../../../server/x509/certificate.ts';
import { isSelfSigned } from '../../../server/x509/chain.ts';
import { X509Error } from '../../../server/x509/x509-error.ts';
import { createPki, FROM, issue, type TestAlgorithm, type TestPki, UNTIL } from './test-pki.ts';

const OWN_OID = '1.2.3.4.5';

describe('parseCertificate', () => {
  let pki: TestPki;
  let der: Uint8Array;

  beforeAll(async () => {
    pki = await createPki({
      leaf: { serial: '00ab', extra: [new x509.Extension(OWN_OID, true, Uint8Array.of(5, 0))] },
    });
    ({ der } = pki.leaf.certificate);
  });

  it('reads what a certificate says', () => {
    const certificate = parseCertificate(der);
    expect(certificate).toMatchObject({
      commonName: 'leaf',
      issuerCommonName: 'intermediate',
      serial: 'ab',
      validity: { notBefore: FROM, notAfter: UNTIL },
      authority: {
        isAuthority: false,
        pathLength: undefined,
        signsCertificates: undefined,
        signsLists: undefined,
      },
    });
    expect(extension(certificate, OWN_OID)).toEqual({ critical: true, value: Uint8Array.of(5, 0) });
    expect(extension(certificate, '1.2.3')).toBeUndefined();
    expect(certificate.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reads PEM, DER and bundles', () => {
    const pem = pki.leaf.native.toString('pem');
    expect(parseCertificateFile(Buffer.from(pem)).der).toEqual(der);
    expect(parseCertificateFile(der).der).toEqual(der);
    const bundle = parseCertificateBundle(`${pem}\n${pki.root.native.toString('pem')}\n`);
    expect(bundle.map(({ commonName }) => commonName)).toEqual(['leaf', 'root']);
  });

  it('keeps its own copy of the bytes', () => {
    const bytes = Uint8Array.from(der);
    const certificate = parseCertificate(bytes);
    bytes.fill(0);
    expect(certificate.der).toEqual(der);
  });

  it('refuses every truncation, trailing bytes and what is too large', () => {
    for (let length = 0; length < der.byteLength; length++) {
      expect(() => parseCertificate(der.subarray(0, length))).toThrow(X509Error);
    }
    for (const bytes of [Uint8Array.of(...der, 0), new Uint8Array(20_000)]) {
      expect(() => parseCertificate(bytes)).toThrow(
        expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }),
      );
    }
  });

  it('refuses an extension that occurs twice', async () => {
    const twice = [1, 2].map((value) => new x509.Extension(OWN_OID, false, Uint8Array.of(value)));
    const { certificate } = await issue('twice', { extra: twice });
    expect(() => certificate.extensions).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
  });

  it('refuses basic constraints that are not', async () => {
    const extra = [new x509.Extension('2.5.29.19', true, Uint8Array.of(4, 1, 1))];
    const { certificate } = await issue('odd', { authority: undefined, extra });
    expect(() => certificate.authority).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
  });

  it.each<TestAlgorithm>(['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-PSS', 'RSA-PKCS1'])(
    'checks signatures of %s',
    async (algorithm) => {
      const { certificate } = await issue('own', { algorithm });
      expect(isSelfSigned(certificate)).toBe(true);
      const forged = Uint8Array.from(certificate.der);
      forged[forged.byteLength - 1]! ^= 1;
      expect(isSelfSigned(parseCertificate(forged))).toBe(false);
    },
  );

  it.each<TestAlgorithm>(['RSA-PKCS1 SHA-1', 'RSA-PSS short salt'])(
    'refuses the algorithm %s',
    async (algorithm) => {
      await expect(issue('weak', { algorithm })).rejects.toMatchObject({
        code: 'CERTIFICATE_ALGORITHM_UNSUPPORTED',
      });
    },
  );

  it('refuses an RSA key of 1024 bits', async () => {
    const { certificate } = await issue('short', { algorithm: 'RSA-1024' });
    expect(() => isSelfSigned(certificate)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_ALGORITHM_UNSUPPORTED' }),
    );
  });

  it('refuses two different algorithms inside and outside', () => {
    // ecdsa-with-SHA256 occurs twice; the second one is outside the signed bytes.
    const oid = Buffer.from('06082a8648ce3d040302', 'hex');
    const bytes = Buffer.from(der);
    const outer = bytes.lastIndexOf(oid);
    expect(outer).toBeGreaterThan(bytes.indexOf(oid));
    bytes[outer + oid.byteLength - 1] = 3;
    expect(() => parseCertificate(bytes)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
  });

  it('never throws a foreign error', () => {
    const mutated = fc
      .array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Uint8Array.from(der);
        for (const [index, value] of changes) bytes[index % bytes.byteLength] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
        try {
          const certificate = parseCertificate(bytes);
          isSelfSigned(certificate);
          expect(certificate.authority).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe('normalizeSerial', () => {
  it.each([
    ['00', '0'],
    ['', '0'],
    ['00AB', 'ab'],
    ['010001', '10001'],
  ])('takes %j as %s', (hex, expected) => {
    expect(normalizeSerial(hex)).toBe(expected);
  });
});
