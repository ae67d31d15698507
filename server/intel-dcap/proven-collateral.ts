import { LRUCache } from 'lru-cache';
import { sha256 } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import type { Certificate } from '../x509/certificate.ts';
import { nameOf, type TrustAnchor, type VerifiedCertificate } from '../x509/chain.ts';
import { parseRevocationList, type VerifiedRevocationList, verifyRevocationList } from '../x509/crl.ts';
import type { IntelAnchor } from './anchors.ts';
import type { SignedDocument } from './dcap-collateral.ts';
import { type SignedMember, verifyDocument } from './document-signature.ts';
import { type QeIdentity, readQeIdentity } from './qe-identity.ts';
import { TcbError } from './tcb-error.ts';
import { readTcbInfo, type TcbInfo } from './tcb-info.ts';

/** What a document of Intel's says, with the certificates that vouch for it, leaf first. */
export interface Proven<T> {
  readonly value: T;
  readonly signers: readonly Certificate[];
}

/** The root that a PCK certificate leads to: whoever signs for Intel has to lead to the same. */
export interface ProvenRoot {
  readonly root: VerifiedCertificate;
  /** The anchor whose key the root carries. */
  readonly anchor: IntelAnchor;
}

/**
 * Proves what does not depend on the very platform: who signed. Whether it is valid now, and whom it speaks for, is not asked.
 * Throws TcbError COLLATERAL_MALFORMED, COLLATERAL_FORGED, TCB_INFO_VERSION_UNSUPPORTED, QE_IDENTITY_VERSION_UNSUPPORTED.
 */
export interface CollateralProver {
  tcbInfo(document: SignedDocument, root: ProvenRoot): Proven<TcbInfo>;
  qeIdentity(document: SignedDocument, root: ProvenRoot): Proven<QeIdentity>;
  /** Also throws TcbError REVOCATION_LIST_MISMATCH when the list is of another authority. */
  revocationList(der: Uint8Array, issuer: Certificate): VerifiedRevocationList;
}

/** Some 30 KiB each; there are some fifty kinds of platform. */
const MAX_DOCUMENTS = 256;
/** Up to 4 MiB each; there are three authorities. */
const MAX_LISTS = 16;

/**
 * Keeps what it has proven by the hash of the bytes that came (never by name) and of the key that they were proven with. Only
 * success is kept.
 */
export function createCollateralProver(): CollateralProver {
  const tcbInfos = new LRUCache<string, Proven<TcbInfo>>({ max: MAX_DOCUMENTS });
  const identities = new LRUCache<string, Proven<QeIdentity>>({ max: MAX_DOCUMENTS });
  const lists = new LRUCache<string, VerifiedRevocationList>({ max: MAX_LISTS });
  const digestOf = createDigests();
  const documentKey = ({ body, issuerChain }: SignedDocument, root: Certificate): string =>
    [...[body, ...issuerChain].map(digestOf), root.fingerprint].join('/');
  return {
    tcbInfo: (document, { root, anchor }) =>
      remembered(tcbInfos, documentKey(document, root), () =>
        prove(document, 'tcbInfo', anchor, readTcbInfo),
      ),
    qeIdentity: (document, { root, anchor }) =>
      remembered(identities, documentKey(document, root), () =>
        prove(document, 'enclaveIdentity', anchor, readQeIdentity),
      ),
    revocationList: (der, issuer) =>
      remembered(lists, `${digestOf(der)}/${issuer.fingerprint}`, () => proveList(der, issuer)),
  };
}

function remembered<T extends object>(cache: LRUCache<string, T>, key: string, proveIt: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const proven = proveIt();
  cache.set(key, proven);
  return proven;
}

/** The store hands out the same byte strings again and again, which nobody writes into: each is hashed once. */
function createDigests(): (bytes: Uint8Array) => string {
  const digests = new WeakMap<Uint8Array, string>();
  return (bytes) => {
    const digest = digests.get(bytes) ?? toHex(sha256(bytes));
    digests.set(bytes, digest);
    return digest;
  };
}

function prove<T>(
  document: SignedDocument,
  member: SignedMember,
  anchor: TrustAnchor,
  read: (json: unknown) => T,
): Proven<T> {
  const { value, signers } = verifyDocument(document, member, anchor);
  return { value: read(value), signers };
}

function proveList(der: Uint8Array, issuer: Certificate): VerifiedRevocationList {
  const list = parseList(der);
  if (list.issuerCommonName === undefined || list.issuerCommonName !== issuer.commonName) {
    throw new TcbError(
      'REVOCATION_LIST_MISMATCH',
      `expected a revocation list of '${nameOf(issuer)}', got one of '${list.issuerCommonName ?? 'nobody'}'`,
    );
  }
  try {
    return verifyRevocationList(list, issuer);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw new TcbError('COLLATERAL_FORGED', `expected a revocation list that '${nameOf(issuer)}' signed`, {
      cause,
    });
  }
}

function parseList(der: Uint8Array): ReturnType<typeof parseRevocationList> {
  try {
    return parseRevocationList(der);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw new TcbError('COLLATERAL_MALFORMED', 'expected a revocation list in DER', { cause });
  }
}
