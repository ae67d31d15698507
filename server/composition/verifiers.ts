import { fromUtf8 } from '../bytes/encoding.ts';
import type { Collateral, CollateralStore } from '../collateral/collateral.ts';
import type { Config } from '../config/load-config.ts';
import { createVerifierRegistry, type VerifierRegistry } from '../verifiers/registry.ts';
import { sampleDeviceVerifier, sampleVerifier } from '../verifiers/sample/sample-verifier.ts';
import { anchorsFromCertificates, type SnpAnchors } from '../verifiers/snp/anchor-set.ts';
import { amdAnchors } from '../verifiers/snp/anchors.ts';
import { collateralFromCertificate, collateralFromRevocationList } from '../verifiers/snp/collateral-keys.ts';
import { createSnpVerifier } from '../verifiers/snp/snp-verifier.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseRevocationList } from '../x509/crl.ts';
import { looksLikePem, splitPem } from '../x509/pem.ts';
import { X509Error } from '../x509/x509-error.ts';
import { readConfiguredFile } from './configured-file.ts';

/** The verifiers that the configuration enables, with what each believes and where its collateral comes from. */
export async function createVerifiers(
  config: Config,
  store: CollateralStore,
  fetch: typeof globalThis.fetch,
): Promise<VerifierRegistry> {
  const { verifiers, collateral } = config;
  const { enabled, kds_url: kdsUrl, allowed_vmpls: allowedVmpls } = verifiers.snp;
  return createVerifierRegistry({
    ...(enabled && {
      snp: createSnpVerifier({
        anchors: await snpAnchors(verifiers.dangerously_replace_vendor_roots),
        store,
        kds: kdsUrl === '' ? undefined : { baseUrl: kdsUrl, fetch },
        revocation: collateral.revocation,
        maxStaleSeconds: collateral.max_stale_seconds,
        allowedVmpls,
      }),
    }),
    ...(verifiers.dangerously_accept_sample_evidence && {
      sample: sampleVerifier,
      sampledevice: sampleDeviceVerifier,
    }),
  });
}

async function snpAnchors(files: readonly string[]): Promise<SnpAnchors> {
  if (files.length === 0) return amdAnchors();
  const contents = await Promise.all(
    files.map(async (file) => await readConfiguredFile('verifiers.dangerously_replace_vendor_roots', file)),
  );
  return anchorsFromCertificates(contents.flatMap(certificatesIn).map(parseCertificate));
}

/** The DER of each certificate of a file: a PEM bundle, or one certificate in DER. */
function certificatesIn(bytes: Uint8Array): readonly Uint8Array[] {
  return looksLikePem(bytes) ? splitPem(fromUtf8(bytes), 'certificate') : [bytes];
}

/** Tells what imported bytes are: a certificate or revocation list of a vendor whose verifier we have. */
export function classifyCollateral(bytes: Uint8Array): readonly Collateral[] {
  const lists = looksLikePem(bytes) ? splitPem(fromUtf8(bytes), 'crl') : [bytes];
  return [
    ...certificatesIn(bytes).flatMap((der) =>
      recognized(() => collateralFromCertificate(parseCertificate(der))),
    ),
    ...lists.flatMap((der) => recognized(() => collateralFromRevocationList(parseRevocationList(der)))),
  ];
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
