import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { type Certificate, parseCertificate } from '../../../server/x509/certificate.ts';
import type { Chain } from '../../../server/x509/chain.ts';

export const NOW = new Date('2026-06-01T00:00:00Z');
export const FROM = new Date('2026-01-01T00:00:00Z');
export const UNTIL = new Date('2027-01-01T00:00:00Z');

/** What a test chooses about a certificate; the rest is as it should be. */
export interface TestCertificateOptions {
  readonly issuer?: TestCertificate | undefined;
  readonly serial?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** `undefined`: no basic constraints at all. */
  readonly authority?: { readonly ca: boolean; readonly pathLength?: number } | undefined;
  readonly signsCertificates?: boolean;
  readonly extra?: readonly x509.Extension[];
  readonly algorithm?: TestAlgorithm;
  readonly keys?: webcrypto.CryptoKeyPair | undefined;
}

export type TestAlgorithm = keyof typeof ALGORITHMS;

export interface TestCertificate {
  readonly certificate: Certificate;
  readonly native: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly algorithm: TestAlgorithm;
}

const RSA = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };
export const ALGORITHMS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  Ed25519: { name: 'Ed25519' },
  'RSA-PSS': { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48, ...RSA },
  'RSA-PKCS1': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', ...RSA },
  'RSA-PKCS1 SHA-1': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', ...RSA },
  'RSA-1024': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', ...RSA, modulusLength: 1024 },
  'RSA-PSS short salt': { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 20, ...RSA },
} as const;

/** A certificate named `name`, by default an authority of its own (self-signed). */
export async function issue(name: string, options: TestCertificateOptions = {}): Promise<TestCertificate> {
  const settings: Required<TestCertificateOptions> = {
    serial: '01',
    notBefore: FROM,
    notAfter: UNTIL,
    authority: { ca: true },
    signsCertificates: true,
    extra: [],
    algorithm: 'P-256',
    issuer: undefined,
    keys: undefined,
    ...options,
  };
  const { issuer, algorithm } = settings;
  const keys = settings.keys ?? (await generateKeys(algorithm));
  const native = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: issuer?.native.subject ?? `CN=${name}`,
    serialNumber: settings.serial,
    notBefore: settings.notBefore,
    notAfter: settings.notAfter,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHMS[issuer?.algorithm ?? algorithm],
    extensions: [...authorityExtensions(settings.authority, settings.signsCertificates), ...settings.extra],
  });
  return { certificate: parseCertificate(new Uint8Array(native.rawData)), native, keys, algorithm };
}

async function generateKeys(algorithm: TestAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHMS[algorithm], true, ['sign', 'verify']);
  if (!('publicKey' in keys)) throw new Error('expected a key pair');
  return keys;
}

function authorityExtensions(
  authority: TestCertificateOptions['authority'],
  signsCertificates: boolean,
): readonly x509.Extension[] {
  if (authority === undefined) return [];
  const usage = signsCertificates ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature;
  return [
    new x509.BasicConstraintsExtension(authority.ca, authority.pathLength, true),
    new x509.KeyUsagesExtension(usage, true),
  ];
}

export interface TestPki {
  readonly root: TestCertificate;
  readonly intermediate: TestCertificate;
  readonly leaf: TestCertificate;
  /** Leaf, intermediate. */
  readonly chain: Chain;
}

/** Root, intermediate, leaf; one of them as the options say. */
export async function createPki(
  options: Partial<Record<'root' | 'intermediate' | 'leaf', TestCertificateOptions>> = {},
): Promise<TestPki> {
  const root = await issue('root', options.root);
  const intermediate = await issue('intermediate', { issuer: root, serial: '02', ...options.intermediate });
  const leaf = await issue('leaf', {
    issuer: intermediate,
    serial: '03',
    authority: undefined,
    ...options.leaf,
  });
  return { root, intermediate, leaf, chain: [leaf.certificate, intermediate.certificate] };
}
