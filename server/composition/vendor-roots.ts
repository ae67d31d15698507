import { type IntelAnchors, intelAnchors, intelAnchorsFromCertificates } from '../intel-dcap/anchors.ts';
import { anchorsFromCertificates, type SnpAnchors } from '../verifiers/snp/anchor-set.ts';
import { amdAnchors } from '../verifiers/snp/anchors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { readConfiguredCertificates } from './configured-file.ts';

/** What is believed of each vendor without proof. */
interface VendorRoots {
  readonly amd: SnpAnchors;
  readonly intel: IntelAnchors;
}

/**
 * The vendors' own roots. A vendor of whom the files hold any is replaced by them; the others stay. Certificates are told apart by
 * the names that the vendors give theirs; one that has neither is refused with AMD's message.
 */
export async function loadVendorRoots(files: readonly string[]): Promise<VendorRoots> {
  const certificates = await readConfiguredCertificates('verifiers.dangerously_replace_vendor_roots', files);
  const ofIntel = certificates.filter(isOfIntel);
  const ofAmd = certificates.filter((certificate) => !isOfIntel(certificate));
  return {
    amd: ofAmd.length === 0 ? amdAnchors() : anchorsFromCertificates(ofAmd),
    intel: ofIntel.length === 0 ? intelAnchors() : intelAnchorsFromCertificates(ofIntel),
  };
}

function isOfIntel({ commonName }: Certificate): boolean {
  return commonName?.includes('SGX Root CA') === true;
}
