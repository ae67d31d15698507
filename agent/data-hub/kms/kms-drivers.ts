import type { AttemptOptions } from '../../http/attempts.ts';
import type { AliyunAddresses } from './aliyun/aliyun-addresses.ts';
import { createCredentialFolder } from './credential-folder.ts';
import type { KmsDriver, KmsDrivers } from './kms.ts';
import type { KmsContext } from './kms-context.ts';

export interface KmsDriverOptions {
  /** `verigo-cdh/<version>`. */
  readonly userAgent: string;
  readonly clock: () => Date;
  /** Absent: where upstream's drivers look. */
  readonly credentialFolder?: string | undefined;
  readonly attempts?: AttemptOptions | undefined;
  readonly aliyun?: AliyunAddresses | undefined;
}

/**
 * The drivers of key management services, all but `kbs`, which the hub adds itself. Each is loaded when a secret first names
 * it: a guest that uses none has not paid for any.
 */
export function createKmsDrivers(options: KmsDriverOptions): KmsDrivers {
  const context: KmsContext = {
    credentials: createCredentialFolder(options.credentialFolder),
    clock: options.clock,
    userAgent: options.userAgent,
    attempts: options.attempts,
  };
  return new Map<string, KmsDriver>([
    [
      'aliyun',
      loadedOnUse(async () =>
        (await import('./aliyun/aliyun-driver.ts')).createAliyunDriver(context, options.aliyun),
      ),
    ],
    ['aws', loadedOnUse(async () => (await import('./aws/aws-driver.ts')).createAwsDriver(context))],
    ['azure', loadedOnUse(async () => (await import('./azure/azure-driver.ts')).createAzureDriver(context))],
    ['ehsm', encryptsOnly(async () => (await import('./ehsm/ehsm-driver.ts')).createEhsmDriver(context))],
    ['gcp', loadedOnUse(async () => (await import('./gcp/gcp-driver.ts')).createGcpDriver(context))],
    [
      'pkcs11',
      loadedOnUse(async () => (await import('./pkcs11/pkcs11-driver.ts')).createPkcs11Driver(context)),
    ],
    ['vault', loadedOnUse(async () => (await import('./vault/vault-driver.ts')).createVaultDriver(context))],
  ]);
}

type CryptDriver = Required<Pick<KmsDriver, 'createDecrypter' | 'createEncrypter'>>;

/** The driver is kept, and with it its tokens and libraries. */
function loadedOnUse(load: () => Promise<Required<KmsDriver>>): KmsDriver {
  const driver = once(load);
  return {
    ...encryptsOnly(driver),
    createGetter: async (settings) => await (await driver()).createGetter(settings),
  };
}

function encryptsOnly(load: () => Promise<CryptDriver>): KmsDriver {
  const driver = once(load);
  return {
    createDecrypter: async (settings) => await (await driver()).createDecrypter(settings),
    createEncrypter: async (settings) => await (await driver()).createEncrypter(settings),
  };
}

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return async () => {
    loaded ??= load();
    return await loaded;
  };
}
