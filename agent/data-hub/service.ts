import type { GetResource } from '../kbs-client/resource-servers.ts';
import {
  GetResourceService,
  ImagePullService,
  SealedSecretService,
  SecureMountService,
} from '../rpc/gen/confidential_data_hub_pb.ts';
import { KeyProviderService } from '../rpc/gen/keyprovider_pb.ts';
import { implementService, type RpcService } from '../rpc/service.ts';
import { BRIEFS, toCallFailure } from './call-failure.ts';
import { KeyUnwrapError } from './key-unwrap/key-unwrap-error.ts';
import type { UnwrapKey } from './key-unwrap/unwrap-key.ts';
import type { Unseal } from './sealed-secret/unseal.ts';

export interface DataHub {
  readonly getResource: GetResource;
  readonly unseal: Unseal;
  readonly unwrapKey: UnwrapKey;
}

/** The hub as upstream's five services, for every transport. */
export function hubServices({ getResource, unseal, unwrapKey }: DataHub): readonly RpcService[] {
  return [
    implementService(GetResourceService, {
      getResource: async ({ resourcePath }) => ({
        resource: await told(BRIEFS.getResource, async () => await getResource(resourcePath)),
      }),
    }),
    implementService(SealedSecretService, {
      unsealSecret: async ({ secret }) => ({
        plaintext: await told(BRIEFS.unsealSecret, async () => await unseal(secret)),
      }),
    }),
    implementService(KeyProviderService, {
      unWrapKey: async ({ keyProviderKeyWrapProtocolInput: input }) => ({
        keyProviderKeyWrapProtocolOutput: await toldOfUnwrap(async () => await unwrapKey(input)),
      }),
      wrapKey: 'unimplemented', // images are encrypted outside of guests
    }),
    implementService(SecureMountService, { secureMount: 'unimplemented' }),
    implementService(ImagePullService, { pullImage: 'unimplemented' }),
  ];
}

async function told<T>(brief: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toCallFailure(brief, error);
  }
}

/** Upstream tells a request that it cannot read from a key that it cannot unwrap. */
async function toldOfUnwrap(run: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await run();
  } catch (error) {
    const isOfRequest = error instanceof KeyUnwrapError && error.code.startsWith('KEY_UNWRAP_');
    throw toCallFailure(isOfRequest ? BRIEFS.unwrapKeyRequest : BRIEFS.unwrapKey, error);
  }
}
