import { LRUCache } from 'lru-cache';
import { sha256 } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import type { CollateralStore } from '../../collateral/collateral.ts';
import { CouldNotCheckError } from '../../errors/could-not-check-error.ts';
import { type Certificate, parseCertificate, type Validity } from '../../x509/certificate.ts';
import { nameOf, requireValidAt, verifyChain } from '../../x509/chain.ts';
import { X509Error } from '../../x509/x509-error.ts';
import { type AuthorityKey, roleOf, type SnpAnchors, toAuthority } from './anchor-set.ts';
import { authorityStoreKey } from './collateral-keys.ts';
import { type EndorsementKey, type EndorsementKeyType, readEndorsementKey } from './endorsement-key.ts';
import type { SuppliedCertificates } from './evidence.ts';
import { PRODUCT_LINES, type ProductLine, productOfCpuid } from './product.ts';
import type { SnpReport } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';

/**
 * A VCEK or VLEK that AMD vouches for: signatures and dates are in order. Neither bound to a report yet, nor is it known
 * whether its authority was revoked.
 */
export interface ProvenKey {
  readonly product: ProductLine;
  readonly key: EndorsementKey;
  /** ASK or ASVK, and the ARK above it. */
  readonly authority: AuthorityKey;
  readonly root: AuthorityKey;
}

interface EndorserOptions {
  readonly anchors: SnpAnchors;
  readonly store: CollateralStore;
}

/**
 * Proves an endorsement key for the product line that the report names, up to an anchor.
 * Throws SnpEvidenceError PRODUCT_UNSUPPORTED, ENDORSEMENT_KEY_MALFORMED; X509Error; CouldNotCheckError
 * COLLATERAL_UNAVAILABLE.
 */
export type Endorser = (
  report: SnpReport,
  type: EndorsementKeyType,
  supplied: SuppliedCertificates,
  at: Date,
) => Promise<ProvenKey>;

/** A chain whose signatures have been checked. What changes with time is checked at each use. */
interface VerifiedChain extends ProvenKey {
  readonly name: string;
  readonly validity: Validity;
}

/** Some 5 KiB each. */
const MAX_VERIFIED_CHAINS = 4096;

/**
 * Keeps the chains that it has verified by the hash of the certificates (never by name), for the anchors that it was made
 * with. Only success is kept.
 */
export function createEndorser(options: EndorserOptions): Endorser {
  const verified = new LRUCache<string, VerifiedChain>({ max: MAX_VERIFIED_CHAINS });
  return async (report, type, supplied, at) => {
    const named = report.cpuid && productOfCpuid(report.cpuid);
    const cacheKey = [
      named ?? 'by issuer',
      type,
      toHex(sha256(supplied.endorsementKey)),
      supplied.intermediate === undefined ? 'none' : toHex(sha256(supplied.intermediate)),
    ].join('/');
    const chain = verified.get(cacheKey) ?? (await prove(options, named, type, supplied, at));
    verified.set(cacheKey, chain);
    requireValidAt(chain.name, chain.validity, at);
    requireValidAt(chain.authority.name, chain.authority.validity, at);
    requireValidAt(chain.root.name, chain.root.validity, at);
    return chain;
  };
}

async function prove(
  options: EndorserOptions,
  named: ProductLine | undefined,
  type: EndorsementKeyType,
  supplied: SuppliedCertificates,
  at: Date,
): Promise<VerifiedChain> {
  const certificate = parseCertificate(supplied.endorsementKey);
  const product = named ?? productOfIssuer(certificate, type);
  const anchors = options.anchors.get(product);
  if (anchors === undefined) {
    throw new SnpEvidenceError(
      'PRODUCT_UNSUPPORTED',
      `expected a product with a trust anchor, got ${product}`,
    );
  }
  const { root } = anchors;
  const authority =
    anchors[type] ?? (await findAuthority({ product, type, root }, supplied.intermediate, options.store, at));
  const leaf = verifyChain([certificate], [authority], { at });
  return {
    product,
    key: readEndorsementKey(leaf),
    name: nameOf(leaf),
    validity: leaf.validity,
    root,
    authority,
  };
}

/** Reports of version 2 do not name their product; the issuer's name does, and its key has then to prove it. */
function productOfIssuer(certificate: Certificate, type: EndorsementKeyType): ProductLine {
  const prefix = type === 'vcek' ? 'SEV' : 'SEV-VLEK';
  const product = PRODUCT_LINES.find((line) => certificate.issuerCommonName === `${prefix}-${line}`);
  if (product !== undefined) return product;
  throw new SnpEvidenceError(
    'PRODUCT_UNSUPPORTED',
    `expected a ${type.toUpperCase()} of Milan, Genoa or Turin, got one with another issuer`,
  );
}

interface WantedAuthority {
  readonly product: ProductLine;
  readonly type: EndorsementKeyType;
  readonly root: AuthorityKey;
}

/** Where only the root is pinned, the ASK or ASVK comes with the evidence or from the store, and the root has to vouch for it. */
async function findAuthority(
  wanted: WantedAuthority,
  supplied: Uint8Array | undefined,
  store: CollateralStore,
  at: Date,
): Promise<AuthorityKey> {
  if (supplied !== undefined) return proveAuthority(wanted, supplied, at);
  const stored = await store.find('snp-ca', authorityStoreKey(wanted.product, wanted.type));
  try {
    if (stored !== undefined) return proveAuthority(wanted, stored.body, at);
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw unavailable(wanted, 'one that does not verify', cause);
  }
  throw unavailable(wanted, 'none');
}

function proveAuthority({ product, type, root }: WantedAuthority, der: Uint8Array, at: Date): AuthorityKey {
  const certificate = parseCertificate(der);
  const named = roleOf(certificate);
  if (named?.role !== type || named.product !== product) {
    throw new X509Error(
      'CHAIN_UNTRUSTED',
      `expected the authority that signs ${product} ${type.toUpperCase()}s, got '${nameOf(certificate)}'`,
    );
  }
  return toAuthority(verifyChain([certificate], [root], { at }));
}

function unavailable({ product, type }: WantedAuthority, came: string, cause?: unknown): CouldNotCheckError {
  return new CouldNotCheckError(
    'COLLATERAL_UNAVAILABLE',
    `expected the certificate of the ${product} ${type.toUpperCase()} authority in the evidence or the store, got ${came}`,
    { cause },
  );
}
