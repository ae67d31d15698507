import { toHex } from '../../bytes/encoding.ts';
import type { Collateral } from '../../collateral/collateral.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { RevocationList } from '../../x509/crl.ts';
import { roleOf } from './anchor-set.ts';
import { chipIdOf, type EndorsementKeyType } from './endorsement-key.ts';
import { PRODUCT_LINES, type ProductLine } from './product.ts';
import { writeTcb } from './tcb.ts';

/** Where a VCEK is kept: product, chip id (64 bytes) and TCB (8 bytes) as the report has them, hex. */
export function vcekStoreKey(product: ProductLine, chipId: Uint8Array, tcb: Uint8Array): string {
  return `${product}/${toHex(chipId)}/${toHex(tcb)}`;
}

/** Where the certificate of an ASK (`Milan/vcek`) or ASVK (`Milan/vlek`) is kept. */
export function authorityStoreKey(product: ProductLine, type: EndorsementKeyType): string {
  return `${product}/${type}`;
}

/**
 * Where a certificate that somebody imports belongs: a VCEK by its extensions, an ASK or ASVK by its name. `undefined` when
 * it is none of these. Only tells them apart; each is verified when it is used.
 * Throws SnpEvidenceError ENDORSEMENT_KEY_MALFORMED, X509Error CERTIFICATE_MALFORMED.
 */
export function collateralFromCertificate(certificate: Certificate): Collateral | undefined {
  const { der: body, validity } = certificate;
  const common = { body, expiresAt: validity.notAfter, source: 'imported' } as const;
  const authority = roleOf(certificate);
  if (authority !== undefined) {
    const { role, product } = authority;
    return role === 'root' ? undefined : { kind: 'snp-ca', key: authorityStoreKey(product, role), ...common };
  }
  const chip = chipIdOf(certificate);
  if (chip === undefined) return undefined;
  const { product, chipId, tcb } = chip;
  return { kind: 'snp-vek', key: vcekStoreKey(product, chipId, writeTcb(tcb, product)), ...common };
}

/** As collateralFromCertificate, for a revocation list: AMD's are known by the name of their issuer. */
export function collateralFromRevocationList(list: RevocationList): Collateral | undefined {
  const product = PRODUCT_LINES.find((line) => list.issuerCommonName === `ARK-${line}`);
  if (product === undefined) return undefined;
  return { kind: 'snp-crl', key: product, body: list.der, expiresAt: list.nextUpdate, source: 'imported' };
}
