import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { filled } from './quote-bytes.ts';

type ExtensionList = readonly x509.Extension[];
export type FakeIntelRole = 'root' | 'platform' | 'processor' | 'tcb-signing';

/** An authority of our own, or the signer of TCB infos. */
export interface FakeIntelAuthority {
  readonly certificate: x509.X509Certificate;
  readonly der: Uint8Array;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly privateKey: KeyObject;
}

/** Everything about such a certificate that a test may want wrong. */
export interface FakeIntelAuthorityOptions {
  readonly commonName?: string;
  /** Hex. */
  readonly serial?: string;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly curve?: 'P-256' | 'P-384';
  readonly extra?: ExtensionList;
}

/** What Intel says about a platform in its PCK certificate. */
export interface FakePlatform {
  readonly ppid: Uint8Array;
  readonly components: readonly number[];
  readonly pceSvn: number;
  readonly cpuSvn: Uint8Array;
  readonly pceId: string;
  readonly fmspc: string;
  readonly sgxType: number;
  readonly platformInstanceId: Uint8Array;
  readonly dynamicPlatform: boolean;
  readonly cachedKeys: boolean;
  readonly smtEnabled: boolean;
}

/** Everything about a PCK certificate that a test may want wrong. */
export interface FakePckOptions extends Partial<FakePlatform> {
  readonly ca?: 'platform' | 'processor';
  readonly commonName?: string;
  /** Hex. */
  readonly serial?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly curve?: 'P-256' | 'P-384';
  /** Whose key signs instead of the authority's. */
  readonly signer?: FakeIntelAuthority;
  /** The members of the SGX extension as they should be, to be changed. */
  readonly members?: (usual: readonly Uint8Array[]) => readonly Uint8Array[];
  /** The extensions as they should be, to be changed. */
  readonly extensions?: (usual: ExtensionList) => ExtensionList;
}

/** What a revocation list may have wrong. */
export interface FakeIntelListOptions {
  /** Serial numbers, hex. */
  readonly revoked?: readonly string[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
  readonly number?: number;
  readonly signer?: FakeIntelAuthority;
  readonly extra?: ExtensionList;
}

const NAMES: Readonly<Record<FakeIntelRole, string>> = {
  root: 'Intel SGX Root CA',
  platform: 'Intel SGX PCK Platform CA',
  processor: 'Intel SGX PCK Processor CA',
  'tcb-signing': 'Intel SGX TCB Signing',
};
const SERIALS: Readonly<Record<FakeIntelRole, string>> = {
  root: '2201',
  platform: '2202',
  processor: '2203',
  'tcb-signing': '2204',
};
const FROM = new Date('2020-01-01T00:00:00Z');
const UNTIL = new Date('2049-12-31T23:59:59Z');
const PATH_LENGTHS: Readonly<Record<FakeIntelRole, number | undefined>> = {
  root: 1,
  platform: 0,
  processor: 0,
  'tcb-signing': undefined,
};
/** RFC 5280, KeyUsage. */
const SIGNS_CERTIFICATES_AND_LISTS = new x509.Extension('2.5.29.15', true, Uint8Array.of(3, 2, 1, 0x06));
const SIGNS_DATA = new x509.Extension('2.5.29.15', true, Uint8Array.of(3, 2, 6, 0xc0));
const HASHES = { 'P-256': 'SHA-256', 'P-384': 'SHA-384' } as const;
export const SGX_OID = '1.2.840.113741.1.13.1';

function distinguishedName(commonName: string): string {
  return `CN=${commonName}, O=Intel Corporation, L=Santa Clara, ST=CA, C=US`;
}

export async function createIntelAuthority(
  role: FakeIntelRole,
  issuer: FakeIntelAuthority | undefined,
  options: FakeIntelAuthorityOptions = {},
): Promise<FakeIntelAuthority> {
  const usual = {
    commonName: NAMES[role],
    serial: SERIALS[role],
    isCa: role !== 'tcb-signing',
    pathLength: PATH_LENGTHS[role],
    notBefore: FROM,
    notAfter: UNTIL,
    curve: 'P-256' as const,
    extra: [],
  };
  const { isCa, pathLength, extra, ...settings } = { ...usual, ...options };
  const keys = await generateKeys(settings.curve);
  const subject = distinguishedName(settings.commonName);
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.certificate.subjectName.toString() ?? subject,
    serialNumber: settings.serial,
    notBefore: settings.notBefore,
    notAfter: settings.notAfter,
    publicKey: keys.publicKey,
    ...signedBy(issuer?.keys ?? keys),
    extensions: [
      new x509.BasicConstraintsExtension(isCa, isCa ? pathLength : undefined, true),
      role === 'tcb-signing' ? SIGNS_DATA : SIGNS_CERTIFICATES_AND_LISTS,
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...extra,
    ],
  });
  return {
    certificate,
    der: new Uint8Array(certificate.rawData),
    keys,
    privateKey: KeyObject.from(keys.privateKey),
  };
}

/** A platform as Intel certifies it. */
export function fakePlatform(overrides: Partial<FakePlatform> = {}): FakePlatform {
  return {
    ppid: filled(16, 0x99),
    components: [2, 2, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0],
    pceSvn: 13,
    cpuSvn: filled(16, 0x02),
    pceId: '0000',
    fmspc: '00806F050000',
    sgxType: 1,
    platformInstanceId: Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index),
    dynamicPlatform: true,
    cachedKeys: false,
    smtEnabled: true,
    ...overrides,
  };
}

export async function createPckCertificate(
  authority: FakeIntelAuthority,
  options: FakePckOptions,
): Promise<{ readonly der: Uint8Array; readonly privateKey: KeyObject }> {
  const usual = {
    commonName: 'Intel SGX PCK Certificate',
    serial: '3301',
    notBefore: FROM,
    notAfter: UNTIL,
    curve: 'P-256' as const,
    signer: authority,
    members: (members: readonly Uint8Array[]) => members,
    extensions: (extensions: ExtensionList) => extensions,
  };
  const settings = { ...usual, ...options };
  const keys = await generateKeys(settings.curve);
  const members = settings.members(
    platformMembers({ ...fakePlatform(), ...options }, options.ca ?? 'platform'),
  );
  const certificate = await x509.X509CertificateGenerator.create({
    subject: distinguishedName(settings.commonName),
    issuer: authority.certificate.subjectName.toString(),
    serialNumber: settings.serial,
    notBefore: settings.notBefore,
    notAfter: settings.notAfter,
    publicKey: keys.publicKey,
    ...signedBy(settings.signer.keys),
    extensions: [
      ...settings.extensions([
        new x509.BasicConstraintsExtension(false, undefined, true),
        SIGNS_DATA,
        new x509.Extension(SGX_OID, false, Uint8Array.from(derSequence(...members))),
      ]),
    ],
  });
  return { der: new Uint8Array(certificate.rawData), privateKey: KeyObject.from(keys.privateKey) };
}

/** The members of the SGX extension, in the order of Intel's profile. */
function platformMembers(platform: FakePlatform, ca: 'platform' | 'processor'): readonly Uint8Array[] {
  const components = platform.components.map((svn, index) => sgxMember(`2.${index + 1}`, derInteger(svn)));
  const tcb = derSequence(
    ...components,
    sgxMember('2.17', derInteger(platform.pceSvn)),
    sgxMember('2.18', derOctets(platform.cpuSvn)),
  );
  const configuration = derSequence(
    sgxMember('7.1', derBoolean(platform.dynamicPlatform)),
    sgxMember('7.2', derBoolean(platform.cachedKeys)),
    sgxMember('7.3', derBoolean(platform.smtEnabled)),
  );
  return [
    sgxMember('1', derOctets(platform.ppid)),
    sgxMember('2', tcb),
    sgxMember('3', derOctets(Buffer.from(platform.pceId, 'hex'))),
    sgxMember('4', derOctets(Buffer.from(platform.fmspc, 'hex'))),
    sgxMember('5', der(0x0a, [platform.sgxType])),
    ...(ca === 'processor'
      ? []
      : [sgxMember('6', derOctets(platform.platformInstanceId)), sgxMember('7', configuration)]),
  ];
}

export async function createIntelList(
  issuer: FakeIntelAuthority,
  options: FakeIntelListOptions,
): Promise<Uint8Array> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subjectName.toString(),
    thisUpdate: options.thisUpdate ?? new Date('2026-05-15T00:00:00Z'),
    nextUpdate: options.nextUpdate ?? new Date('2026-06-15T00:00:00Z'),
    ...signedBy((options.signer ?? issuer).keys),
    entries: (options.revoked ?? []).map((serialNumber) => ({ serialNumber, revocationDate: FROM })),
    extensions: [
      new x509.Extension('2.5.29.20', false, Uint8Array.from(derInteger(options.number ?? 1))),
      ...(options.extra ?? []),
    ],
  });
  return new Uint8Array(list.rawData);
}

/** One `SEQUENCE { OID, value }` of the SGX extension, by the end of its OID. */
export function sgxMember(name: string, value: Uint8Array): Uint8Array {
  const arcs = name.split('.').map(Number);
  // 1.2.840.113741.1.13.1
  const oid = der(0x06, [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, ...arcs]);
  return derSequence(oid, value);
}

export function derInteger(value: number): Uint8Array {
  const hex = value.toString(16);
  const bytes = [...Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')];
  return der(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : [0, ...bytes]);
}

export function derOctets(bytes: Uint8Array): Uint8Array {
  return der(0x04, bytes);
}

export function derBoolean(value: boolean): Uint8Array {
  return der(0x01, [value ? 0xff : 0x00]);
}

export function derSequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, Buffer.concat(parts));
}

export function der(tag: number, content: ArrayLike<number>): Uint8Array {
  const { length } = content;
  const lengthBytes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.of(tag, ...lengthBytes, ...Array.from(content));
}

async function generateKeys(namedCurve: 'P-256' | 'P-384'): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve }, true, ['sign', 'verify']);
  if (!('publicKey' in keys)) throw new Error('expected a key pair');
  return keys;
}

function signedBy(keys: webcrypto.CryptoKeyPair): {
  readonly signingKey: webcrypto.CryptoKey;
  readonly signingAlgorithm: { readonly name: 'ECDSA'; readonly hash: string };
} {
  const curve = KeyObject.from(keys.publicKey).asymmetricKeyDetails?.namedCurve;
  const hash = HASHES[curve === 'secp384r1' ? 'P-384' : 'P-256'];
  return { signingKey: keys.privateKey, signingAlgorithm: { name: 'ECDSA', hash } };
}
