import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type IntelAnchors, intelAnchorsFromCertificates } from '../../server/intel-dcap/anchors.ts';
import { parseCertificate } from '../../server/x509/certificate.ts';
import {
  createIntelAuthority,
  createIntelList,
  createPckCertificate,
  type FakeIntelAuthority,
  type FakeIntelAuthorityOptions,
  type FakeIntelListOptions,
  type FakeIntelRole,
  type FakePckOptions,
} from './fake-intel-certificates.ts';
import {
  coordinatesOf,
  encodeEnclaveReport,
  encodeQuoteHeader,
  encodeSignatureData,
  encodeTdReport,
  type FakeEnclaveReport,
  type FakeQuoteHeader,
  type FakeSignatureData,
  type FakeTdReport,
  fakeEnclaveReport,
  fakeQeReport,
  fakeTdReport,
  INTEL_QE_VENDOR,
  qeReportDataOf,
  signP256,
  u16,
  u32,
} from './quote-bytes.ts';

/** A platform that Intel certified. */
export interface FakePck {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly authority: FakeIntelAuthority;
  readonly privateKey: KeyObject;
  /** PEM of leaf, intermediate and root, as quotes carry it. */
  readonly chain: string;
}

/** What a test chooses about a quote; the rest is as it should be. */
export interface FakeQuoteOptions {
  /** 4 */
  readonly version?: 3 | 4 | 5;
  /** Version 5: `td-1.5` unless said otherwise. */
  readonly body?: 'td-1.0' | 'td-1.5';
  readonly header?: Partial<FakeQuoteHeader>;
  /** Versions 4 and 5. */
  readonly td?: Partial<FakeTdReport>;
  /** Version 3. */
  readonly enclave?: Partial<FakeEnclaveReport>;
  /** Version 5: the type and size in front of the body. */
  readonly descriptor?: { readonly type?: number; readonly size?: number };
  readonly qe?: Partial<FakeEnclaveReport>;
  /** The platform; the same for all quotes unless given. */
  readonly pck?: FakePck;
  /** PEM, in place of the platform's. */
  readonly chain?: string;
  /** Who signs the quote in place of the attestation key, and the QE report in place of the PCK. */
  readonly quoteSigner?: KeyObject;
  readonly qeReportSigner?: KeyObject;
  readonly authenticationData?: Uint8Array;
  /** Parts of the signature data in place of the real ones, put in after everything is signed. */
  readonly signatureData?: Partial<FakeSignatureData>;
  /** Bytes after the signature data. */
  readonly padding?: Uint8Array;
}

export interface FakeIntel {
  /** The fake root, pinned. */
  readonly anchors: IntelAnchors;
  authority(role: FakeIntelRole): FakeIntelAuthority;
  /** Who signs TCB infos and identities, with its chain: DER, leaf first. */
  readonly tcbSigning: { readonly privateKey: KeyObject; readonly chain: readonly Uint8Array[] };
  /** DER of a PCK authority and the root, as they come beside a revocation list. */
  issuerChain(ca: 'platform' | 'processor'): readonly Uint8Array[];
  pck(options?: FakePckOptions): Promise<FakePck>;
  rootCrl(options?: FakeIntelListOptions): Promise<Uint8Array>;
  pckCrl(ca: 'platform' | 'processor', options?: FakeIntelListOptions): Promise<Uint8Array>;
  /** Everything is right but what the options say. */
  quote(options?: FakeQuoteOptions): Promise<Uint8Array>;
}

type FakeIntelOptions = Partial<Record<FakeIntelRole, FakeIntelAuthorityOptions>>;

const TDX = 0x81;
const AUTHENTICATION_DATA = Uint8Array.from({ length: 32 }, (_, index) => index);
let shared: Promise<FakeIntel> | undefined;

/** One Intel for all tests of a file that need nothing special. */
export async function sharedFakeIntel(): Promise<FakeIntel> {
  shared ??= createFakeIntel();
  return await shared;
}

/** An Intel of our own: its authorities, its signer of TCB infos, its platforms and their quoting enclave. */
export async function createFakeIntel(options: FakeIntelOptions = {}): Promise<FakeIntel> {
  const root = await createIntelAuthority('root', undefined, options.root);
  const below = async (role: FakeIntelRole): Promise<FakeIntelAuthority> =>
    await createIntelAuthority(role, root, options[role]);
  return new OwnIntel({
    root,
    platform: await below('platform'),
    processor: await below('processor'),
    'tcb-signing': await below('tcb-signing'),
  });
}

class OwnIntel implements FakeIntel {
  readonly #authorities: Readonly<Record<FakeIntelRole, FakeIntelAuthority>>;
  readonly #attestationKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  #usualPck: Promise<FakePck> | undefined;

  constructor(authorities: Readonly<Record<FakeIntelRole, FakeIntelAuthority>>) {
    this.#authorities = authorities;
  }

  get anchors(): IntelAnchors {
    return intelAnchorsFromCertificates([parseCertificate(this.authority('root').der)]);
  }

  get tcbSigning(): FakeIntel['tcbSigning'] {
    const { privateKey, der } = this.authority('tcb-signing');
    return { privateKey, chain: [der, this.authority('root').der] };
  }

  authority(role: FakeIntelRole): FakeIntelAuthority {
    return this.#authorities[role];
  }

  issuerChain(ca: 'platform' | 'processor'): readonly Uint8Array[] {
    return [this.authority(ca).der, this.authority('root').der];
  }

  async pck(options: FakePckOptions = {}): Promise<FakePck> {
    const authority = this.authority(options.ca ?? 'platform');
    const { der, privateKey } = await createPckCertificate(authority, options);
    const chain = pemOf([der, authority.der, this.authority('root').der]);
    return { certificate: der, authority, privateKey, chain };
  }

  async rootCrl(options: FakeIntelListOptions = {}): Promise<Uint8Array> {
    return await createIntelList(this.authority('root'), options);
  }

  async pckCrl(ca: 'platform' | 'processor', options: FakeIntelListOptions = {}): Promise<Uint8Array> {
    return await createIntelList(this.authority(ca), options);
  }

  async quote(options: FakeQuoteOptions = {}): Promise<Uint8Array> {
    this.#usualPck ??= this.pck();
    const pck = options.pck ?? (await this.#usualPck);
    const version = options.version ?? 4;
    const signed = signedPart(version, options);
    const signatureData = encodeSignatureData(this.#signatureData(signed, pck, options), version);
    return Buffer.concat([
      signed,
      u32(signatureData.byteLength),
      signatureData,
      options.padding ?? new Uint8Array(),
    ]);
  }

  #signatureData(signed: Uint8Array, pck: FakePck, options: FakeQuoteOptions): FakeSignatureData {
    const attestationKey = coordinatesOf(createPublicKey(this.#attestationKey));
    const authenticationData = options.authenticationData ?? AUTHENTICATION_DATA;
    const reportData = qeReportDataOf(attestationKey, authenticationData);
    const qeReport = encodeEnclaveReport(fakeQeReport({ reportData, ...options.qe }));
    return {
      signature: signP256(signed, options.quoteSigner ?? this.#attestationKey),
      attestationKey,
      qeReport,
      qeReportSignature: signP256(qeReport, options.qeReportSigner ?? pck.privateKey),
      authenticationData,
      outerType: 6,
      innerType: 5,
      certificationData: Buffer.from(`${options.chain ?? pck.chain}\0`),
      ...options.signatureData,
    };
  }
}

/** Header, descriptor and body: what the attestation key signs. */
function signedPart(version: 3 | 4 | 5, options: FakeQuoteOptions): Uint8Array {
  const isSgx = version === 3;
  const header = encodeQuoteHeader({
    version,
    attestationKeyType: 2,
    teeType: isSgx ? 0 : TDX,
    qeSvn: isSgx ? 8 : 0,
    pceSvn: isSgx ? 13 : 0,
    qeVendorId: INTEL_QE_VENDOR,
    userData: Uint8Array.of(0xd0, 0xd1),
    ...options.header,
  });
  const body = isSgx
    ? encodeEnclaveReport(fakeEnclaveReport(options.enclave))
    : encodeTdReport(fakeTdReport(options.td), kindOf(version, options));
  return Buffer.concat([header, version === 5 ? descriptorOf(body, options) : new Uint8Array(), body]);
}

function kindOf(version: 4 | 5, { body = 'td-1.5' }: FakeQuoteOptions): 'td-1.0' | 'td-1.5' {
  return version === 4 ? 'td-1.0' : body;
}

function descriptorOf(body: Uint8Array, options: FakeQuoteOptions): Uint8Array {
  const usual = { type: kindOf(5, options) === 'td-1.0' ? 2 : 3, size: body.byteLength };
  const { type, size } = { ...usual, ...options.descriptor };
  return Buffer.concat([u16(type), u32(size)]);
}

/** A bundle of certificates as quotes carry it. */
export function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates
    .map((der) => {
      const lines = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
      return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}
