import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { bytesEqual, concatBytes, sha256 } from '../bytes/byte-strings.ts';
import { fromUtf8, toHex } from '../bytes/encoding.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { nameOf, requireValidAt, type VerifiedCertificate, verifyWholeChain } from '../x509/chain.ts';
import { splitPem } from '../x509/pem.ts';
import type { IntelAnchor, IntelAnchors } from './anchors.ts';
import { isP256Key, p256PointOf } from './p256-key.ts';
import { type PckAuthority, type PckExtension, readPckExtension, SGX_EXTENSION } from './pck-certificate.ts';
import { QuoteError } from './quote-error.ts';

/** A PCK certificate that Intel vouches for: signatures and dates are in order. Whether it was revoked is not known yet. */
export interface ProvenPck {
  readonly leaf: VerifiedCertificate;
  readonly intermediate: VerifiedCertificate;
  readonly root: VerifiedCertificate;
  /** The anchor whose key the root carries. */
  readonly anchor: IntelAnchor;
  /** Which authority the intermediate is. */
  readonly ca: PckAuthority;
  readonly extension: PckExtension;
  readonly publicKey: KeyObject;
}

/**
 * Proves the PEM chain of a quote up to an anchor.
 * Throws QuoteError PCK_CHAIN_MALFORMED, PCK_EXTENSION_MALFORMED; X509Error.
 */
export type PckChainProver = (pem: Uint8Array, at: Date) => ProvenPck;

const PCK_NAME = 'SGX PCK Certificate';
const AUTHORITIES: ReadonlyMap<string | undefined, PckAuthority> = new Map([
  ['Intel SGX PCK Platform CA', 'platform'],
  ['Intel SGX PCK Processor CA', 'processor'],
]);
const HANDLED_EXTENSIONS: ReadonlySet<string> = new Set([SGX_EXTENSION]);
/** Some 8 KiB each. */
const MAX_VERIFIED_CHAINS = 4096;
const MAX_ISSUERS = 16;

type PckChain = readonly [leaf: Certificate, intermediate: Certificate, root: Certificate];

/**
 * Keeps the chains that it has verified by the hash of their certificates (never by name), for the anchors that it was made
 * with. Only success is kept; what changes with time is checked at each use.
 */
export function createPckChainProver(anchors: IntelAnchors): PckChainProver {
  const verified = new LRUCache<string, ProvenPck>({ max: MAX_VERIFIED_CHAINS });
  const issuers = new LRUCache<string, Certificate>({ max: MAX_ISSUERS });
  return (pem, at) => {
    const ders = readPem(pem);
    const key = toHex(sha256(concatBytes(...ders)));
    const known = verified.get(key);
    if (known !== undefined) {
      requireChainValidAt(known, at);
      return known;
    }
    const proven = prove(parseChain(ders, issuers), anchors, at);
    verified.set(key, proven);
    for (const issuer of [proven.intermediate, proven.root]) issuers.set(issuer.fingerprint, issuer);
    return proven;
  };
}

function prove(chain: PckChain, anchors: IntelAnchors, at: Date): ProvenPck {
  const ca = requireNames(chain);
  const [leaf, intermediate, root] = verifyWholeChain(chain, anchors, {
    at,
    handledExtensions: HANDLED_EXTENSIONS,
  });
  const anchor = anchorOf(root, anchors);
  const { publicKey } = leaf;
  if (!isP256Key(publicKey)) throw malformed('a PCK on P-256', publicKey.asymmetricKeyType ?? 'none');
  return { leaf, intermediate, root, anchor, ca, extension: readPckExtension(leaf, ca), publicKey };
}

/** Leaf, intermediate and root in DER. A zero byte at the end counts as text around the PEM blocks, which is passed over. */
function readPem(pem: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const ders = splitPem(decode(pem));
  const [leaf, intermediate, root] = ders;
  if (leaf === undefined || intermediate === undefined || root === undefined || ders.length !== 3) {
    throw malformed('three certificates', `${ders.length}`);
  }
  return [leaf, intermediate, root];
}

function decode(pem: Uint8Array): string {
  try {
    return fromUtf8(pem);
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw malformed('PEM', `${pem.byteLength} bytes that are not text`, cause);
  }
}

/** All platforms have the same few issuers, and reading one takes as long as everything else about a chain. */
function parseChain(
  [leaf, ...others]: readonly [Uint8Array, Uint8Array, Uint8Array],
  issuers: LRUCache<string, Certificate>,
): PckChain {
  const toIssuer = (der: Uint8Array): Certificate => issuers.get(toHex(sha256(der))) ?? parseCertificate(der);
  const [intermediate, root] = others;
  return [parseCertificate(leaf), toIssuer(intermediate), toIssuer(root)];
}

/** Intel's root signs more than PCKs: the names say what a certificate is for. Who they belong to is for the signatures. */
function requireNames([leaf, intermediate]: PckChain): PckAuthority {
  if (leaf.commonName?.includes(PCK_NAME) !== true) {
    throw malformed(`a leaf named '${PCK_NAME}'`, `'${nameOf(leaf)}'`);
  }
  const ca = AUTHORITIES.get(intermediate.commonName);
  if (ca === undefined) {
    throw malformed("the 'Intel SGX PCK Platform CA' or 'Processor CA'", `'${nameOf(intermediate)}'`);
  }
  return ca;
}

/** The root itself has to be there, not another certificate that it signed. */
function anchorOf(root: VerifiedCertificate, anchors: IntelAnchors): IntelAnchor {
  const point = p256PointOf(root.publicKey);
  const anchor = anchors.find(({ publicKey }) => bytesEqual(p256PointOf(publicKey), point));
  if (anchor === undefined) throw malformed('a trusted root at its end', `'${nameOf(root)}'`);
  return anchor;
}

function requireChainValidAt({ leaf, intermediate, root, anchor }: ProvenPck, at: Date): void {
  requireValidAt(nameOf(leaf), leaf.validity, at);
  requireValidAt(nameOf(intermediate), intermediate.validity, at);
  requireValidAt(nameOf(root), root.validity, at);
  if (anchor.validity !== undefined) requireValidAt(anchor.name, anchor.validity, at);
}

function malformed(expected: string, came: string, cause?: unknown): QuoteError {
  return new QuoteError(
    'PCK_CHAIN_MALFORMED',
    `expected a PCK certificate chain with ${expected}, got ${came}`,
    { cause },
  );
}
