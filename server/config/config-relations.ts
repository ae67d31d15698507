import { compileAcl } from '../admin/acl.ts';
import { AdminConfigurationError } from '../admin/admin-error.ts';
import type { ConfigProblem } from './config-error.ts';
import type { ParsedConfig } from './config-schema.ts';

/** What has to hold between keys that are each right by themselves. Every relation that does not hold is listed. */
export function brokenRelations(config: ParsedConfig): readonly ConfigProblem[] {
  return [
    ...brokenSigner(config),
    ...brokenResourceLimit(config),
    ...brokenIssuers(config),
    ...brokenIdentityProviders(config),
    ...brokenAcls(config),
  ];
}

function brokenSigner({ attestation }: ParsedConfig): readonly ConfigProblem[] {
  if (attestation.signing_cert_file === undefined || attestation.signing_key_file !== undefined) return [];
  return [
    {
      where: 'attestation.signing_cert_file',
      message: 'expected attestation.signing_key_file beside it, got nothing',
    },
  ];
}

/** A resource arrives as the body of one request. */
function brokenResourceLimit({ kbs, http }: ParsedConfig): readonly ConfigProblem[] {
  if (kbs.max_resource_bytes <= http.body_limit_bytes) return [];
  return [
    {
      where: 'kbs.max_resource_bytes',
      message: `expected at most http.body_limit_bytes (${http.body_limit_bytes}), got ${kbs.max_resource_bytes}`,
    },
  ];
}

function brokenIssuers({ kbs, roles }: ParsedConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (roles.includes('kbs') && !roles.includes('as') && kbs.issuers.length === 0) {
    problems.push({
      where: 'kbs.issuers',
      message:
        'expected at least one issuer where the role "as" is not played, got none: no token could be trusted',
    });
  }
  for (const [index, issuer] of kbs.issuers.entries()) {
    const sources = ['jwks_url', 'discovery_url', 'jwks_file', 'certificate_roots_file'] as const;
    const named: string[] = sources.filter((source) => issuer[source] !== undefined);
    if (issuer.dangerously_trust_header_jwk) named.push('dangerously_trust_header_jwk');
    if (named.length !== 1) problems.push(exactlyOne(`kbs.issuers[${index}]`, sources, named));
  }
  return problems;
}

function brokenIdentityProviders({ admin }: ParsedConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (admin.mode === 'bearer-jwt' && !admin.trust_local_key && admin.identity_providers.length === 0) {
    problems.push({
      where: 'admin.identity_providers',
      message: 'expected at least one, or trust_local_key = true, or mode = "deny-all"; got none',
    });
  }
  for (const [index, provider] of admin.identity_providers.entries()) {
    const sources = ['public_key_file', 'jwks_file'] as const;
    const named = sources.filter((source) => provider[source] !== undefined);
    if (named.length !== 1) problems.push(exactlyOne(`admin.identity_providers[${index}]`, sources, named));
  }
  return problems;
}

function brokenAcls({ admin }: ParsedConfig): readonly ConfigProblem[] {
  return admin.acls.flatMap(({ role, allowed_endpoints: allowedEndpoints }, index) => {
    try {
      compileAcl([{ role, allowedEndpoints }]);
      return [];
    } catch (error) {
      if (!(error instanceof AdminConfigurationError)) throw error;
      return [{ where: `admin.acls[${index}].allowed_endpoints`, message: error.message }];
    }
  });
}

function exactlyOne(where: string, sources: readonly string[], named: readonly string[]): ConfigProblem {
  const came = named.length === 0 ? 'none' : named.join(' and ');
  return { where, message: `expected exactly one of ${sources.join(', ')}, got ${came}` };
}
