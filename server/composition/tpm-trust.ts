import type { Config } from '../config/load-config.ts';
import type { AkTrustOptions } from '../verifiers/tpm/ak-trust.ts';
import { readTrustedAkFolder } from '../verifiers/tpm/trusted-ak-folder.ts';
import { readTrustedAks } from '../verifiers/tpm/trusted-aks.ts';
import { readConfiguredCertificates } from './configured-file.ts';

/** The attestation keys and authorities that the configuration names. */
export async function loadTpmTrust(tpm: Config['verifiers']['tpm']): Promise<AkTrustOptions> {
  const { trusted_ak_keys_dir: folder, max_trusted_ak_keys: maximum } = tpm;
  const files = folder === undefined ? [] : await readTrustedAkFolder(folder, maximum);
  return {
    trustedAks: readTrustedAks([...tpm.trusted_aks, ...files]),
    anchors: await readConfiguredCertificates('verifiers.tpm.ak_roots', tpm.ak_roots),
  };
}
