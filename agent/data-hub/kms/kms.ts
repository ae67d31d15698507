import type { Json } from '../../../server/claims/claims.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';

export type KmsErrorCode = 'PROVIDER_UNKNOWN' | 'PROVIDER_CANNOT_DECRYPT' | 'PROVIDER_CANNOT_GET';

/** A key management service that this guest does not have, or that does not do what was asked of it. */
export class KmsError extends CodedError<KmsErrorCode> {}

/** Members of a secret that only its provider understands; each driver checks those that it reads. */
export type ProviderSettings = Readonly<Record<string, Json>>;
export type Annotations = Readonly<Record<string, Json>>;

/** Decrypts with keys that never leave the service. */
export interface Decrypter {
  decrypt(ciphertext: Uint8Array, keyId: string, annotations: Annotations): Promise<Uint8Array>;
}

/** Gets secrets that the service keeps. */
export interface SecretGetter {
  getSecret(name: string, annotations: Annotations): Promise<Uint8Array>;
}

/** What a provider can do. Each function looks at the settings, and throws an error of the driver's own. */
export interface KmsDriver {
  readonly createDecrypter?: (settings: ProviderSettings) => Promise<Decrypter>;
  readonly createGetter?: (settings: ProviderSettings) => Promise<SecretGetter>;
}

/** By name, in lower case. */
export type KmsDrivers = ReadonlyMap<string, KmsDriver>;

/** Throws KmsError PROVIDER_UNKNOWN, PROVIDER_CANNOT_DECRYPT, and what the driver throws. */
export async function createDecrypter(
  drivers: KmsDrivers,
  provider: string,
  settings: ProviderSettings,
): Promise<Decrypter> {
  const { createDecrypter: create } = driverOf(drivers, provider);
  if (create !== undefined) return await create(settings);
  throw new KmsError(
    'PROVIDER_CANNOT_DECRYPT',
    `expected a provider that decrypts, got '${shown(provider)}'`,
  );
}

/** Throws KmsError PROVIDER_UNKNOWN, PROVIDER_CANNOT_GET, and what the driver throws. */
export async function createGetter(
  drivers: KmsDrivers,
  provider: string,
  settings: ProviderSettings,
): Promise<SecretGetter> {
  const { createGetter: create } = driverOf(drivers, provider);
  if (create !== undefined) return await create(settings);
  throw new KmsError(
    'PROVIDER_CANNOT_GET',
    `expected a provider that keeps secrets, got '${shown(provider)}'`,
  );
}

/** Upstream looks at no case either. */
function driverOf(drivers: KmsDrivers, provider: string): KmsDriver {
  const driver = drivers.get(provider.toLowerCase());
  if (driver !== undefined) return driver;
  const known = [...drivers.keys()].toSorted().join(', ');
  throw new KmsError(
    'PROVIDER_UNKNOWN',
    `Unsupported provider: expected one of ${known}, got '${shown(provider)}'`,
  );
}

function shown(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 32);
}
