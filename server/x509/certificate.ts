import 'reflect-metadata';
import { type KeyObject, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { sha256 } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import { derOf, splitPem } from './pem.ts';
import { readSignedObject, type SignedObject } from './signed-object.ts';
import { X509Error } from './x509-error.ts';

/** Real certificates are below 4 KiB; what is larger is not looked at. */
const MAX_CERTIFICATE_BYTES = 16_384;
const COMMON_NAME = /(?:^|\n)CN=([^\n]{1,128})(?=\n|$)/g;

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Extension {
  readonly critical: boolean;
  /** The content of extnValue: what the OCTET STRING holds. */
  readonly value: Uint8Array;
}

/** What RFC 5280, section 4.2.1 says about a certificate that signs others. Absent extensions are `undefined`. */
export interface Authority {
  readonly isAuthority: boolean;
  readonly pathLength: number | undefined;
  readonly signsCertificates: boolean | undefined;
  readonly signsLists: boolean | undefined;
}

/** One X.509 certificate as it came, read but not believed. */
export interface Certificate {
  readonly der: Uint8Array;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  /** The one common name of the subject, for messages and for telling certificates apart, never for trust. */
  readonly commonName: string | undefined;
  /** The one common name of the issuer, for choosing among anchors, never for trust. */
  readonly issuerCommonName: string | undefined;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly signed: SignedObject;
  /** Whether the names (and key identifiers, where there) say that `issuer` issued it. No signature is checked. */
  namesAsIssuer(issuer: Certificate): boolean;
  /** By OID. Read when first asked for, so that a forged certificate costs no more than its signature check. */
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly authority: Authority;
}

/**
 * Reads a DER certificate (RFC 5280, section 4.1). Throws X509Error CERTIFICATE_MALFORMED,
 * CERTIFICATE_ALGORITHM_UNSUPPORTED; a malformed extension throws when extensions are read.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES) {
    throw malformed(`at most ${MAX_CERTIFICATE_BYTES} bytes of certificate, got ${der.byteLength}`);
  }
  try {
    return new ParsedCertificate(der);
  } catch (cause) {
    if (cause instanceof X509Error) throw cause;
    throw malformed(`an X.509 certificate, got ${der.byteLength} bytes that are not`, cause);
  }
}

/** One certificate in DER or PEM. Throws as parseCertificate. */
export function parseCertificateFile(bytes: Uint8Array): Certificate {
  return parseCertificate(derOf(bytes));
}

/** Every certificate of a PEM bundle, in its order. Throws as parseCertificate. */
export function parseCertificateBundle(pem: string): readonly Certificate[] {
  return splitPem(pem).map(parseCertificate);
}

/** The extension with this OID; `undefined` when there is none. Throws X509Error CERTIFICATE_MALFORMED. */
export function extension(certificate: Certificate, oid: string): Extension | undefined {
  return certificate.extensions.get(oid);
}

/** Serial numbers are compared as numbers: hex without leading zeros. */
export function normalizeSerial(hex: string): string {
  const digits = hex.toLowerCase().replace(/^0+/, '');
  return digits === '' ? '0' : digits;
}

class ParsedCertificate implements Certificate {
  readonly der: Uint8Array;
  readonly fingerprint: string;
  readonly commonName: string | undefined;
  readonly issuerCommonName: string | undefined;
  readonly serial: string;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly signed: SignedObject;
  readonly #native: X509Certificate;
  #contents:
    | { readonly extensions: ReadonlyMap<string, Extension>; readonly authority: Authority }
    | undefined;

  constructor(der: Uint8Array) {
    this.der = Uint8Array.from(der);
    this.signed = readSignedObject(this.der);
    this.#native = new X509Certificate(this.der);
    this.fingerprint = toHex(sha256(this.der));
    this.commonName = onlyCommonName(this.#native.subject);
    this.issuerCommonName = onlyCommonName(this.#native.issuer);
    this.serial = normalizeSerial(this.#native.serialNumber);
    this.validity = { notBefore: this.#native.validFromDate, notAfter: this.#native.validToDate };
    this.publicKey = this.#native.publicKey;
  }

  get extensions(): ReadonlyMap<string, Extension> {
    return this.#read().extensions;
  }

  get authority(): Authority {
    return this.#read().authority;
  }

  namesAsIssuer(issuer: Certificate): boolean {
    return issuer instanceof ParsedCertificate && this.#native.checkIssued(issuer.#native);
  }

  #read(): { readonly extensions: ReadonlyMap<string, Extension>; readonly authority: Authority } {
    this.#contents ??= readContents(this.der);
    return this.#contents;
  }
}

function readContents(der: Uint8Array): {
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly authority: Authority;
} {
  try {
    const certificate = new x509.X509Certificate(Uint8Array.from(der));
    return { extensions: toMap(certificate.extensions), authority: readAuthority(certificate) };
  } catch (cause) {
    if (cause instanceof X509Error) throw cause;
    throw malformed('extensions as RFC 5280 has them, got something else', cause);
  }
}

function readAuthority(certificate: x509.X509Certificate): Authority {
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  return {
    isAuthority: constraints?.ca === true,
    pathLength: constraints?.pathLength,
    signsCertificates: usages === undefined ? undefined : (usages & x509.KeyUsageFlags.keyCertSign) !== 0,
    signsLists: usages === undefined ? undefined : (usages & x509.KeyUsageFlags.cRLSign) !== 0,
  };
}

/** RFC 5280, section 4.2: no extension twice. Two readers would pick different ones. */
function toMap(extensions: readonly x509.Extension[]): ReadonlyMap<string, Extension> {
  const byOid = new Map<string, Extension>();
  for (const { type, critical, value } of extensions) {
    if (byOid.has(type)) throw malformed(`extension ${type} once, got it twice`);
    byOid.set(type, { critical, value: new Uint8Array(value) });
  }
  return byOid;
}

function onlyCommonName(subject: string | undefined): string | undefined {
  const names = [...(subject ?? '').matchAll(COMMON_NAME)];
  return names.length === 1 ? names[0]?.[1] : undefined;
}

function malformed(expected: string, cause?: unknown): X509Error {
  return new X509Error('CERTIFICATE_MALFORMED', `expected ${expected}`, { cause });
}
