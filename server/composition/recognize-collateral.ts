import { fromUtf8 } from '../bytes/encoding.ts';
import type { Collateral } from '../collateral/collateral.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { classifyIntelCollateral } from '../intel-dcap/collateral-keys.ts';
import { collateralFromCertificate, collateralFromRevocationList } from '../verifiers/snp/collateral-keys.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseRevocationList } from '../x509/crl.ts';
import { looksLikePem, splitPem } from '../x509/pem.ts';
import { X509Error } from '../x509/x509-error.ts';

/** Tells what imported bytes are: something that a vendor signed whose verifier we have. Each vendor knows its own. */
export function recognizeCollateral(bytes: Uint8Array): readonly Collateral[] {
  return [...classifyIntelCollateral(bytes), ...recognizeAmdCollateral(bytes)];
}

function recognizeAmdCollateral(bytes: Uint8Array): readonly Collateral[] {
  return [
    ...blocksOf(bytes, 'certificate').flatMap((der) =>
      recognized(() => collateralFromCertificate(parseCertificate(der))),
    ),
    ...blocksOf(bytes, 'crl').flatMap((der) =>
      recognized(() => collateralFromRevocationList(parseRevocationList(der))),
    ),
  ];
}

/** The DER of each certificate or list of a file: a PEM bundle, or one in DER. */
function blocksOf(bytes: Uint8Array, kind: 'certificate' | 'crl'): readonly Uint8Array[] {
  if (!looksLikePem(bytes)) return [bytes];
  try {
    return splitPem(fromUtf8(bytes), kind);
  } catch (error) {
    if (error instanceof X509Error || error instanceof MalformedError) return [];
    throw error;
  }
}

/** What does not parse as one thing may be another. */
function recognized(read: () => Collateral | undefined): readonly Collateral[] {
  try {
    const collateral = read();
    return collateral === undefined ? [] : [collateral];
  } catch (error) {
    if (error instanceof X509Error) return [];
    throw error;
  }
}
