import { z } from 'zod';
import { type Decrypter, type Encrypter, type KmsDriver, KmsError, type ProviderSettings } from '../kms.ts';
import type { KmsContext } from '../kms-context.ts';
import { parseSettings } from '../provider-members.ts';
import { ALIYUN, ALIYUN_ADDRESSES, type AliyunAddresses } from './aliyun-addresses.ts';
import { clientKeySettingsSchema, openDedicatedKms } from './dedicated-kms.ts';
import { openWithRole, openWithStsToken, stsSettingsSchema } from './sts-credential.ts';

const typeSchema = z.object({ client_type: z.enum(['client_key', 'ecs_ram_role', 'sts_token']) });

/**
 * Alibaba Cloud's KMS: dedicated instances with a client key, which do everything; the shared service with the credential of a
 * role or of a file, which only gets secrets. Throws KmsError.
 */
export function createAliyunDriver(
  context: KmsContext,
  addresses: AliyunAddresses = ALIYUN_ADDRESSES,
): Required<KmsDriver> {
  const dedicated = async (settings: ProviderSettings): Promise<Decrypter & Encrypter> => {
    const { client_type: type } = parseSettings(ALIYUN, typeSchema, settings);
    if (type !== 'client_key') {
      throw new KmsError(
        'PROVIDER_CANNOT_DECRYPT',
        `provider ${ALIYUN}: expected the client_type client_key, which encrypts and decrypts, got ${type}`,
      );
    }
    return await openDedicatedKms(
      context,
      addresses,
      parseSettings(ALIYUN, clientKeySettingsSchema, settings),
    );
  };
  return {
    createDecrypter: dedicated,
    createEncrypter: dedicated,
    async createGetter(settings) {
      const { client_type: type } = parseSettings(ALIYUN, typeSchema, settings);
      switch (type) {
        case 'client_key':
          return await openDedicatedKms(
            context,
            addresses,
            parseSettings(ALIYUN, clientKeySettingsSchema, settings),
          );
        case 'ecs_ram_role':
          return await openWithRole(context, addresses);
        case 'sts_token':
          return await openWithStsToken(
            context,
            addresses,
            parseSettings(ALIYUN, stsSettingsSchema, settings),
          );
      }
    },
  };
}
