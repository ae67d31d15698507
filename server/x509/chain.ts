import type { KeyObject } from 'node:crypto';
import { bytesEqual } from '../bytes/byte-strings.ts';
import type { Certificate, Validity } from './certificate.ts';
import { isSignedBy } from './signed-object.ts';
import { X509Error } from './x509-error.ts';

declare const proof: unique symbol;

/** A certificate whose path to a trust anchor has been checked. Only this module makes one. */
export type VerifiedCertificate = Certificate & { readonly [proof]: 'chain' };

/** A key that we believe without proof. `validity` where its owner states one. */
export interface TrustAnchor {
  /** For messages. */
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly validity: Validity | undefined;
}

/** Leaf first, each issued by the next. */
export type Chain = readonly [Certificate, ...Certificate[]];

/** What a chain has to satisfy beside its signatures. */
interface ChainOptions {
  readonly at: Date;
  /** Critical extensions that the caller reads itself. */
  readonly handledExtensions?: ReadonlySet<string>;
}

/** The most certificates that a chain may have; real ones have three or four. */
export const MAX_CHAIN_LENGTH = 8;

/**
 * Critical extensions that the checks below honour (basic constraints, key usage), or that only narrow how to use
 * the certificate in TLS (extended key usage, alternative names).
 */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set(['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17']);

/**
 * Verifies a chain (leaf first) up to one of our anchors at a given time, as RFC 5280, section 6 has it: signatures from
 * the anchor downwards, names, dates, authority and path lengths, no unknown critical extension. The last certificate
 * is either signed by an anchor or carries an anchor's key and signs itself. Returns the leaf.
 * Throws X509Error: CHAIN_UNTRUSTED, CHAIN_TOO_LONG, CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID,
 * CERTIFICATE_NOT_AUTHORITY, CERTIFICATE_EXTENSION_UNKNOWN, CERTIFICATE_ALGORITHM_UNSUPPORTED, CERTIFICATE_MALFORMED.
 */
export function verifyChain(
  chain: Chain,
  anchors: readonly [TrustAnchor, ...TrustAnchor[]],
  options: ChainOptions,
): VerifiedCertificate {
  if (chain.length > MAX_CHAIN_LENGTH) {
    throw new X509Error(
      'CHAIN_TOO_LONG',
      `expected at most ${MAX_CHAIN_LENGTH} certificates, got ${chain.length}`,
    );
  }
  const anchor = anchorOf(chain, anchors);
  verifySignatures(chain, anchor);
  chain.forEach((certificate, depth) => {
    requireValidAt(nameOf(certificate), certificate.validity, options.at);
    requireKnownExtensions(certificate, options.handledExtensions);
    if (depth > 0) requireAuthority(certificate, depth - 1);
  });
  if (anchor.validity !== undefined) requireValidAt(anchor.name, anchor.validity, options.at);
  return verified(chain[0]);
}

/** As verifyChain, but returns every certificate of the chain: what proves the leaf has proven those above it. */
export function verifyWholeChain<C extends Chain>(
  chain: C,
  anchors: readonly [TrustAnchor, ...TrustAnchor[]],
  options: ChainOptions,
): { readonly [Index in keyof C]: VerifiedCertificate } {
  verifyChain(chain, anchors, options);
  return chain as { readonly [Index in keyof C]: VerifiedCertificate };
}

/**
 * Throws X509Error CERTIFICATE_NOT_YET_VALID or CERTIFICATE_EXPIRED; both ends belong to the validity
 * (RFC 5280, section 4.1.2.5).
 */
export function requireValidAt(name: string, validity: Validity, at: Date): void {
  // Written so that an unreadable date, which compares false with everything, is refused.
  if (!(at >= validity.notBefore)) {
    throw new X509Error(
      'CERTIFICATE_NOT_YET_VALID',
      `expected '${name}' to be valid at ${at.toISOString()}, it starts at ${toIso(validity.notBefore)}`,
    );
  }
  // Dates in certificates are whole seconds; the last one lasts until the next begins.
  if (!(at.getTime() < validity.notAfter.getTime() + 1000)) {
    throw new X509Error(
      'CERTIFICATE_EXPIRED',
      `expected '${name}' to be valid at ${at.toISOString()}, it ended at ${toIso(validity.notAfter)}`,
    );
  }
}

/** A self-signed certificate as a trust anchor. Throws X509Error CHAIN_UNTRUSTED when it does not sign itself. */
export function anchorFromSelfSigned(certificate: Certificate): TrustAnchor {
  if (!isSelfSigned(certificate)) {
    throw new X509Error('CHAIN_UNTRUSTED', `expected '${nameOf(certificate)}' to be self-signed`);
  }
  return {
    name: nameOf(certificate),
    publicKey: certificate.publicKey,
    validity: certificate.validity,
  };
}

export function isSelfSigned(certificate: Certificate): boolean {
  return certificate.namesAsIssuer(certificate) && isSignedBy(certificate.signed, certificate.publicKey);
}

/** The common name, or the start of the fingerprint when there is none. */
export function nameOf(certificate: Certificate): string {
  return certificate.commonName ?? `certificate ${certificate.fingerprint.slice(0, 16)}`;
}

/** The anchor that vouches for the end of the chain: by its signature, or by being its key. */
function anchorOf(chain: Chain, anchors: readonly TrustAnchor[]): TrustAnchor {
  const last = chain.at(-1) ?? chain[0];
  const itself = anchors.find((anchor) => isSameKey(anchor.publicKey, last.publicKey));
  if (itself !== undefined) return itself;
  const issuer = anchors.find(
    (anchor) => fits(last, anchor.publicKey) && isSignedBy(last.signed, anchor.publicKey),
  );
  if (issuer !== undefined) return issuer;
  throw new X509Error(
    'CHAIN_UNTRUSTED',
    `expected '${nameOf(last)}' to be signed by ${anchors.map((anchor) => `'${anchor.name}'`).join(', ')}`,
  );
}

/**
 * By their encoding: `KeyObject.equals` of keys of different types leaves an error in OpenSSL's queue, which the next
 * operation of WebCrypto on this thread then fails with.
 */
function isSameKey(left: KeyObject, right: KeyObject): boolean {
  return bytesEqual(
    left.export({ type: 'spki', format: 'der' }),
    right.export({ type: 'spki', format: 'der' }),
  );
}

/** Anchors of another kind of key cannot have signed it; asking them would be an error of its own. */
function fits(certificate: Certificate, key: KeyObject): boolean {
  const { scheme } = certificate.signed.algorithm;
  const type = scheme === 'ecdsa' ? 'ec' : scheme === 'ed25519' ? 'ed25519' : 'rsa';
  return key.asymmetricKeyType === type;
}

/** From the anchor downwards. The last certificate was checked with the anchor unless it carries the anchor's key. */
function verifySignatures(chain: Chain, anchor: TrustAnchor): void {
  const last = chain.at(-1) ?? chain[0];
  if (isSameKey(anchor.publicKey, last.publicKey) && !isSelfSigned(last)) {
    throw new X509Error('CHAIN_UNTRUSTED', `expected '${nameOf(last)}' to be self-signed`);
  }
  chain.forEach((certificate, index) => {
    const issuer = chain[index + 1];
    if (issuer === undefined) return;
    if (!certificate.namesAsIssuer(issuer) || !isSignedBy(certificate.signed, issuer.publicKey)) {
      throw new X509Error(
        'CHAIN_UNTRUSTED',
        `expected '${nameOf(certificate)}' to be issued by '${nameOf(issuer)}'`,
      );
    }
  });
}

/**
 * RFC 5280, sections 4.2.1.3 and 4.2.1.9. `below` counts the authorities between this one and the leaf.
 * Throws X509Error CERTIFICATE_NOT_AUTHORITY.
 */
export function requireAuthority(certificate: Certificate, below: number): void {
  const { isAuthority, pathLength, signsCertificates } = certificate.authority;
  const isLongEnough = pathLength === undefined || pathLength >= below;
  if (!isAuthority || signsCertificates === false || !isLongEnough) {
    throw new X509Error(
      'CERTIFICATE_NOT_AUTHORITY',
      `expected '${nameOf(certificate)}' to be an authority with ${below} authorities below it`,
    );
  }
}

function requireKnownExtensions(certificate: Certificate, handled: ReadonlySet<string> = new Set()): void {
  for (const [oid, { critical }] of certificate.extensions) {
    if (!critical || KNOWN_EXTENSIONS.has(oid) || handled.has(oid)) continue;
    throw new X509Error(
      'CERTIFICATE_EXTENSION_UNKNOWN',
      `expected no critical extension that we do not know in '${nameOf(certificate)}', got ${oid}`,
    );
  }
}

function toIso(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unreadable date' : date.toISOString();
}

function verified(certificate: Certificate): VerifiedCertificate {
  return certificate as VerifiedCertificate;
}
