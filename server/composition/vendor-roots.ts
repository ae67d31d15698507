import { anchorsFromCertificates, type SnpAnchors } from '../verifiers/snp/anchor-set.ts';
import { amdAnchors } from '../verifiers/snp/anchors.ts';
import { readConfiguredCertificates } from './configured-file.ts';

/** What is believed of each vendor without proof. */
interface VendorRoots {
  readonly amd: SnpAnchors;
}

/** The vendors' own roots. A vendor of whom the files hold any is replaced by them; the others stay. */
export async function loadVendorRoots(files: readonly string[]): Promise<VendorRoots> {
  const certificates = await readConfiguredCertificates('verifiers.dangerously_replace_vendor_roots', files);
  return { amd: certificates.length === 0 ? amdAnchors() : anchorsFromCertificates(certificates) };
}
