import type { GetResource } from '../../../kbs-client/resource-servers.ts';
import type { KmsDriver } from '../kms.ts';

/**
 * The key broker as a keeper of secrets: a secret's name is its resource URI. Settings and annotations mean nothing to it,
 * and are passed over as upstream does. Its getter throws what GetResource throws.
 */
export function createKbsDriver(getResource: GetResource): KmsDriver {
  return {
    createGetter: async () => ({ getSecret: async (name) => await getResource(name) }),
  };
}
