import 'reflect-metadata';
import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { ProductLine } from '../../server/verifiers/snp/product.ts';
import type { FakeTcb } from './snp-report.ts';

export type FakeRole = 'root' | 'vcek' | 'vlek';
type FakeUsage = keyof typeof USAGE_BITS;
type ExtensionList = readonly x509.Extension[];

/** An ARK, ASK or ASVK of our own. */
export interface FakeAuthority {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** Everything about an authority's certificate that a test may want wrong. */
export interface FakeAuthorityOptions {
  readonly commonName?: string;
  readonly serial?: string;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  readonly usages?: readonly FakeUsage[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly extra?: ExtensionList;
}

/** Everything about a VCEK or VLEK certificate that a test may want wrong. */
export interface FakeEndorsementOptions {
  readonly productName?: string;
  readonly tcb?: FakeTcb;
  readonly hardwareId?: Uint8Array;
  readonly cspId?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly signer?: FakeAuthority;
  readonly publicKey?: KeyObject;
  /** The extensions as they should be, to be changed. */
  readonly extensions?: (usual: ExtensionList) => ExtensionList;
  readonly hash?: 'SHA-256' | 'SHA-384';
}

/** RFC 5280, KeyUsage: the first byte of the BIT STRING. */
const USAGE_BITS = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const;
const AMD = '1.3.6.1.4.1.3704.1';
export const AMD_OIDS = {
  productName: `${AMD}.2`,
  bootloader: `${AMD}.3.1`,
  tee: `${AMD}.3.2`,
  snp: `${AMD}.3.3`,
  microcode: `${AMD}.3.8`,
  fmc: `${AMD}.3.9`,
  hardwareId: `${AMD}.4`,
  cspId: `${AMD}.5`,
} as const;
const NAMES: Readonly<Record<FakeRole, string>> = { root: 'ARK', vcek: 'SEV', vlek: 'SEV-VLEK' };
const SERIALS: Readonly<Record<FakeRole, string>> = { root: '010000', vcek: '010001', vlek: '010101' };
const RSA_PSS = { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48 } as const;
const FROM = new Date('2020-01-01T00:00:00Z');
const UNTIL = new Date('2050-01-01T00:00:00Z');

/** A name as AMD writes it, the common name last. */
function distinguishedName(commonName: string): string {
  return `OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices, CN=${commonName}`;
}

export async function createAuthority(
  product: ProductLine,
  role: FakeRole,
  issuer: FakeAuthority | undefined,
  options: FakeAuthorityOptions = {},
): Promise<FakeAuthority> {
  const keys = await webcrypto.subtle.generateKey(
    { ...RSA_PSS, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ['sign', 'verify'],
  );
  const settings = { ...usualAuthority(product, role), ...options };
  const subject = distinguishedName(settings.commonName);
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.certificate.subjectName.toString() ?? subject,
    serialNumber: settings.serial,
    notBefore: settings.notBefore,
    notAfter: settings.notAfter,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: RSA_PSS,
    extensions: [
      new x509.BasicConstraintsExtension(settings.isCa, settings.pathLength, true),
      keyUsage(settings.usages),
      ...settings.extra,
    ],
  });
  return { certificate, keys };
}

function usualAuthority(
  product: ProductLine,
  role: FakeRole,
): Required<Omit<FakeAuthorityOptions, 'pathLength'>> & {
  readonly pathLength: number | undefined;
} {
  return {
    commonName: `${NAMES[role]}-${product}`,
    serial: SERIALS[role],
    isCa: true,
    pathLength: role === 'root' ? undefined : 0,
    usages: role === 'root' ? ['keyCertSign', 'cRLSign'] : ['keyCertSign'],
    notBefore: FROM,
    notAfter: UNTIL,
    extra: [],
  };
}

/** The extensions that AMD writes into a VCEK or VLEK. */
function amdExtensions(product: ProductLine, tcb: FakeTcb, options: FakeEndorsementOptions): ExtensionList {
  const integers = [
    ...(product === 'Turin' ? [derInteger(AMD_OIDS.fmc, tcb.fmc ?? 0)] : []),
    derInteger(AMD_OIDS.bootloader, tcb.bootloader),
    derInteger(AMD_OIDS.tee, tcb.tee),
    derInteger(AMD_OIDS.snp, tcb.snp),
    derInteger(AMD_OIDS.microcode, tcb.microcode),
  ];
  return [
    ia5String(AMD_OIDS.productName, options.productName ?? product),
    ...integers,
    ...(options.hardwareId
      ? [new x509.Extension(AMD_OIDS.hardwareId, false, Uint8Array.from(options.hardwareId))]
      : []),
    ...(options.cspId === undefined ? [] : [ia5String(AMD_OIDS.cspId, options.cspId)]),
  ];
}

export async function createEndorsement(
  product: ProductLine,
  usualSigner: FakeAuthority,
  usualKey: KeyObject,
  usualTcb: FakeTcb,
  options: FakeEndorsementOptions,
): Promise<Uint8Array> {
  const settings = {
    signer: usualSigner,
    publicKey: usualKey,
    tcb: usualTcb,
    notBefore: FROM,
    notAfter: UNTIL,
    hash: 'SHA-384' as const,
    extensions: (usual: ExtensionList) => usual,
    ...options,
  };
  const { signer, hash } = settings;
  const spki = createPublicKey(settings.publicKey).export({ type: 'spki', format: 'der' });
  const certificate = await x509.X509CertificateGenerator.create({
    subject: distinguishedName(options.cspId === undefined ? 'SEV-VCEK' : 'SEV-VLEK'),
    issuer: signer.certificate.subjectName.toString(),
    serialNumber: '00',
    notBefore: settings.notBefore,
    notAfter: settings.notAfter,
    publicKey: new x509.PublicKey(Uint8Array.from(spki)),
    signingKey: await withHash(signer.keys.privateKey, hash),
    signingAlgorithm: { name: 'RSA-PSS', hash, saltLength: hash === 'SHA-384' ? 48 : 32 },
    extensions: [...settings.extensions(amdExtensions(product, settings.tcb, options))],
  });
  return new Uint8Array(certificate.rawData);
}

/** What a revocation list may have wrong. */
export interface FakeListOptions {
  readonly revoked?: readonly string[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
  readonly number?: number;
  readonly signer?: FakeAuthority;
  readonly extra?: ExtensionList;
}

export async function createList(root: FakeAuthority, options: FakeListOptions): Promise<Uint8Array> {
  const signer = options.signer ?? root;
  const number = options.number ?? 1;
  const list = await x509.X509CrlGenerator.create({
    issuer: root.certificate.subjectName.toString(),
    thisUpdate: options.thisUpdate ?? new Date('2025-01-01T00:00:00Z'),
    nextUpdate: options.nextUpdate ?? new Date('2045-01-01T00:00:00Z'),
    signingKey: signer.keys.privateKey,
    signingAlgorithm: RSA_PSS,
    entries: (options.revoked ?? []).map((serialNumber) => ({ serialNumber, revocationDate: FROM })),
    extensions: [derInteger('2.5.29.20', number), ...(options.extra ?? [])],
  });
  return new Uint8Array(list.rawData);
}

function keyUsage(usages: readonly FakeUsage[]): x509.Extension {
  const bits = usages.reduce((all, usage) => all | USAGE_BITS[usage], 0);
  const unused = Math.log2(bits & -bits);
  return new x509.Extension('2.5.29.15', true, Uint8Array.of(3, 2, unused, bits));
}

/** A DER INTEGER of 0 to 255 (and a little beyond, for tests). */
export function derInteger(oid: string, value: number): x509.Extension {
  const content = value < 0x80 ? [value] : value < 0x100 ? [0, value] : [value >> 8, value & 0xff];
  return new x509.Extension(oid, false, Uint8Array.of(2, content.length, ...content));
}

function ia5String(oid: string, text: string): x509.Extension {
  const bytes = new TextEncoder().encode(text);
  return new x509.Extension(oid, false, Uint8Array.of(0x16, bytes.byteLength, ...bytes));
}

async function withHash(key: webcrypto.CryptoKey, hash: 'SHA-256' | 'SHA-384'): Promise<webcrypto.CryptoKey> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  return await webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'RSA-PSS', hash }, true, ['sign']);
}
