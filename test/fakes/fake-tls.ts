import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const FROM = new Date('2020-01-01T00:00:00Z');
const UNTIL = new Date('2050-01-01T00:00:00Z');

/** A server's certificate with its key, and the pin that RFC 7469 makes of it. */
export interface FakeServerCertificate {
  readonly certificate: string;
  readonly privateKey: string;
  readonly pin: string;
}

/** An authority of our own, which vouches for servers on loopback. */
export interface FakeAuthority {
  readonly pem: string;
  issue(options?: { readonly name?: string; readonly notAfter?: Date }): Promise<FakeServerCertificate>;
}

export async function createFakeAuthority(name = 'Fake Root'): Promise<FakeAuthority> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    notBefore: FROM,
    notAfter: UNTIL,
    signingAlgorithm: ECDSA,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    pem: root.toString('pem'),
    issue: async ({ name: address = '127.0.0.1', notAfter = UNTIL } = {}) => {
      const leaf = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: 'CN=server',
        issuer: root.subject,
        publicKey: leaf.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ECDSA,
        notBefore: FROM,
        notAfter,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])],
      });
      return {
        certificate: certificate.toString('pem'),
        privateKey: x509.PemConverter.encode(
          await webcrypto.subtle.exportKey('pkcs8', leaf.privateKey),
          'PRIVATE KEY',
        ),
        pin: `sha256/${createHash('sha256')
          .update(new Uint8Array(certificate.publicKey.rawData))
          .digest('base64')}`,
      };
    },
  };
}
