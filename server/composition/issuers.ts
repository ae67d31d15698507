import type { Config } from '../config/load-config.ts';
import type { TrustedIssuer } from '../token/ear-verifier.ts';
import { endorsedHeaderKeys } from '../token/jwk-endorsement.ts';
import { remoteKeys } from '../token/jwks-source.ts';
import { dangerouslyTrustHeaderJwk, type KeySource, keySetFile, liveKeys } from '../token/key-source.ts';
import type { TokenKeys } from '../token/token-keys.ts';
import { parseCertificateBundle } from '../x509/certificate.ts';
import { readConfiguredText } from './configured-file.ts';

type ConfiguredIssuer = Config['kbs']['issuers'][number];

/** Whose tokens open resources: those of the configuration, and our own where this process is an attestation service. */
export async function trustedIssuers(
  config: Config,
  own: TokenKeys | undefined,
  fetch: typeof globalThis.fetch,
): Promise<readonly TrustedIssuer[]> {
  const configured = await Promise.all(
    config.kbs.issuers.map(async (issuer) => ({
      issuer: issuer.issuer,
      audience: issuer.audience,
      profiles: issuer.profiles,
      keys: await keysOf(issuer, fetch),
    })),
  );
  if (own === undefined) return configured;
  const { issuer, audience } = config.attestation;
  const ourselves = { issuer, audience, profiles: undefined, keys: liveKeys(() => own.verificationKeys()) };
  return [ourselves, ...configured];
}

/** The configuration's schema has seen to it that exactly one source is named. */
async function keysOf(issuer: ConfiguredIssuer, fetch: typeof globalThis.fetch): Promise<KeySource> {
  if (issuer.jwks_url !== undefined) {
    return remoteKeys({ kind: 'jwks', url: issuer.jwks_url, issuer: issuer.issuer, fetch });
  }
  if (issuer.discovery_url !== undefined) {
    return remoteKeys({ kind: 'discovery', url: issuer.discovery_url, issuer: issuer.issuer, fetch });
  }
  if (issuer.jwks_file !== undefined)
    return keySetFile(await readConfiguredText('kbs.issuers.jwks_file', issuer.jwks_file));
  if (issuer.certificate_roots_file !== undefined) {
    return endorsedHeaderKeys(
      parseCertificateBundle(
        await readConfiguredText('kbs.issuers.certificate_roots_file', issuer.certificate_roots_file),
      ),
    );
  }
  return dangerouslyTrustHeaderJwk();
}
