import { createPublicKey } from 'node:crypto';
import { CodedError } from '../../errors/coded-error.ts';
import type { Certificate, Validity } from '../../x509/certificate.ts';
import {
  anchorFromSelfSigned,
  nameOf,
  requireAuthority,
  type TrustAnchor,
  verifyChain,
} from '../../x509/chain.ts';
import type { EndorsementKeyType } from './endorsement-key.ts';
import { PRODUCT_LINES, type ProductLine } from './product.ts';

/** An authority of AMD, or of a test PKI in its place. */
export interface AuthorityKey extends TrustAnchor {
  /** Lower-case hex without leading zeros: how revocation lists name it. */
  readonly serial: string;
  readonly validity: Validity;
}

/** The authorities of one product line. Where an intermediate is not pinned, it has to come along and is verified by the root. */
export interface ProductAnchors {
  /** ARK */
  readonly root: AuthorityKey;
  /** ASK */
  readonly vcek: AuthorityKey | undefined;
  /** ASVK */
  readonly vlek: AuthorityKey | undefined;
}

/** What the SNP verifier believes without proof. */
export type SnpAnchors = ReadonlyMap<ProductLine, ProductAnchors>;

/** An authority as we keep it in the code. `spki` is base64 of the DER SubjectPublicKeyInfo. */
export interface AuthorityFact {
  readonly name: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly spki: string;
}

export type SnpAnchorErrorCode =
  | 'ANCHOR_UNRECOGNIZED'
  | 'ANCHOR_DUPLICATED'
  | 'ANCHOR_ROOT_MISSING'
  | 'ANCHORS_EMPTY';

/** The configured certificates do not make a set of anchors. A mistake in the configuration, found at start. */
export class SnpAnchorError extends CodedError<SnpAnchorErrorCode> {}

type Role = 'root' | EndorsementKeyType;
const AUTHORITY_NAME = /^(ARK|SEV|SEV-VLEK)-([A-Za-z]+)$/;
const ROLES: ReadonlyMap<string, Role> = new Map([
  ['ARK', 'root'],
  ['SEV', 'vcek'],
  ['SEV-VLEK', 'vlek'],
]);

export function toAuthorityKey(fact: AuthorityFact): AuthorityKey {
  return {
    name: fact.name,
    serial: fact.serial,
    validity: { notBefore: new Date(fact.notBefore), notAfter: new Date(fact.notAfter) },
    publicKey: createPublicKey(`-----BEGIN PUBLIC KEY-----\n${fact.spki}\n-----END PUBLIC KEY-----\n`),
  };
}

/**
 * Anchors that replace AMD's, from certificates named as AMD names them: `ARK-Milan`, `SEV-Milan`, `SEV-VLEK-Milan`. A root must
 * sign itself, an intermediate must be issued by its root; intermediates may be left out. Dates are checked at each use.
 * Throws SnpAnchorError, X509Error CHAIN_UNTRUSTED, CERTIFICATE_NOT_AUTHORITY.
 */
export function anchorsFromCertificates(certificates: readonly Certificate[]): SnpAnchors {
  const anchors = new Map<ProductLine, ProductAnchors>();
  const byRole = new Map<string, Certificate>();
  for (const certificate of certificates) {
    const role = roleOf(certificate);
    if (role === undefined) {
      throw new SnpAnchorError(
        'ANCHOR_UNRECOGNIZED',
        `expected certificates named ARK-, SEV- or SEV-VLEK- and a product line, got '${nameOf(certificate)}'`,
      );
    }
    const key = `${role.role} ${role.product}`;
    if (byRole.has(key)) {
      throw new SnpAnchorError('ANCHOR_DUPLICATED', `expected '${nameOf(certificate)}' once, got it twice`);
    }
    byRole.set(key, certificate);
  }
  for (const product of PRODUCT_LINES) {
    const found = anchorsOf(product, (role) => byRole.get(`${role} ${product}`));
    if (found !== undefined) anchors.set(product, found);
  }
  if (anchors.size === 0)
    throw new SnpAnchorError('ANCHORS_EMPTY', 'expected at least one root certificate, got none');
  return anchors;
}

/** Which authority a certificate says it is, by its name. Proven only by its root's signature. */
export function roleOf(
  certificate: Certificate,
): { readonly role: Role; readonly product: ProductLine } | undefined {
  const [, prefix = '', line] = AUTHORITY_NAME.exec(certificate.commonName ?? '') ?? [];
  const role = ROLES.get(prefix);
  const product = PRODUCT_LINES.find((each) => each === line);
  return role && product && { role, product };
}

function anchorsOf(
  product: ProductLine,
  certificateOf: (role: Role) => Certificate | undefined,
): ProductAnchors | undefined {
  const root = certificateOf('root');
  const vcek = certificateOf('vcek');
  const vlek = certificateOf('vlek');
  if (root === undefined) {
    if (vcek === undefined && vlek === undefined) return undefined;
    throw new SnpAnchorError(
      'ANCHOR_ROOT_MISSING',
      `expected ARK-${product} beside its intermediates, got none`,
    );
  }
  const anchor = anchorFromSelfSigned(root);
  const toKey = (certificate: Certificate | undefined): AuthorityKey | undefined =>
    certificate && toIntermediate(certificate, anchor);
  return { root: toAuthority(root), vcek: toKey(vcek), vlek: toKey(vlek) };
}

function toIntermediate(certificate: Certificate, root: TrustAnchor): AuthorityKey {
  // Dates are checked at each use; here only who issued it counts, so it is checked on its own first day.
  const { notBefore } = certificate.validity;
  return toAuthority(verifyChain([certificate], [{ ...root, validity: undefined }], { at: notBefore }));
}

/** Its caller has checked who issued it. Throws X509Error CERTIFICATE_NOT_AUTHORITY. */
export function toAuthority(certificate: Certificate): AuthorityKey {
  requireAuthority(certificate, 0);
  const { publicKey, validity, serial } = certificate;
  return { name: nameOf(certificate), serial, validity, publicKey };
}
