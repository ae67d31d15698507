import type { Config } from '../config/load-config.ts';
import { proofSecrets } from '../freshness/proof-secret.ts';
import type { TicketKeys } from '../freshness/ticket.ts';
import { type Activation, createActivation } from '../verifiers/tpm/activation.ts';
import type { AkTrustOptions } from '../verifiers/tpm/ak-trust.ts';
import { readTrustedAkFolder } from '../verifiers/tpm/trusted-ak-folder.ts';
import { readTrustedAks } from '../verifiers/tpm/trusted-aks.ts';
import { readConfiguredCertificates } from './configured-file.ts';

const ACTIVATION = 'tpm-activation';

/** Undefined where no manufacturer of TPMs is believed. */
export async function loadTpmActivation(
  { enabled, ek_roots: files }: Config['verifiers']['tpm'],
  ticketKeys: () => TicketKeys,
): Promise<Activation | undefined> {
  if (!enabled || files.length === 0) return undefined;
  return createActivation({
    anchors: await readConfiguredCertificates('verifiers.tpm.ek_roots', files),
    makeSecrets: (content) => proofSecrets(ticketKeys(), ACTIVATION, content),
  });
}

/** The attestation keys and authorities that the configuration names. */
export async function loadTpmTrust(
  tpm: Config['verifiers']['tpm'],
  activation: Activation | undefined,
): Promise<AkTrustOptions> {
  const { trusted_ak_keys_dir: folder, max_trusted_ak_keys: maximum } = tpm;
  const files = folder === undefined ? [] : await readTrustedAkFolder(folder, maximum);
  return {
    trustedAks: readTrustedAks([...tpm.trusted_aks, ...files]),
    anchors: await readConfiguredCertificates('verifiers.tpm.ak_roots', tpm.ak_roots),
    activation,
  };
}
