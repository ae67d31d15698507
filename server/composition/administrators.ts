import { join } from 'node:path';
import { type AuthorizeAdmin, createAdminAuth, type IdentityProvider } from '../admin/admin-auth.ts';
import { loadOrCreateAdminKey, localIdentityProvider } from '../admin/admin-key.ts';
import type { Config } from '../config/load-config.ts';
import { keySetFile, pemFile } from '../token/key-source.ts';
import { readConfiguredText } from './configured-file.ts';

/** Where the key of this installation's administrators lies; the command line looks there too. */
export function adminKeyFile(config: Config): string {
  return join(config.data_dir, 'admin.key');
}

/** Who may administrate, as configured. Makes the local key at first start, where it is trusted. */
export async function createAdministrators(config: Config): Promise<AuthorizeAdmin> {
  const { mode, trust_local_key: trustLocalKey, identity_providers: configured, acls } = config.admin;
  if (mode === 'deny-all') return createAdminAuth({ mode });
  const local = trustLocalKey
    ? [localIdentityProvider(await loadOrCreateAdminKey(adminKeyFile(config)))]
    : [];
  const others = await Promise.all(configured.map(identityProvider));
  return createAdminAuth({
    mode,
    identityProviders: [...local, ...others],
    acls: acls.map(({ role, allowed_endpoints }) => ({ role, allowedEndpoints: allowed_endpoints })),
  });
}

async function identityProvider(
  configured: Config['admin']['identity_providers'][number],
): Promise<IdentityProvider> {
  const { issuer, audience, public_key_file: pem, jwks_file: keySet } = configured;
  const keys =
    pem === undefined
      ? keySetFile(await readConfiguredText('admin.identity_providers.jwks_file', keySet ?? ''))
      : pemFile(await readConfiguredText('admin.identity_providers.public_key_file', pem));
  return { issuer, audience, keys };
}
