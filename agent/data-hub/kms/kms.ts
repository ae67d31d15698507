import type { Json } from '../../../server/claims/claims.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';

export type KmsErrorCode =
  // Not what this guest has, or what the provider does.
  | 'PROVIDER_UNKNOWN'
  | 'PROVIDER_CANNOT_DECRYPT'
  | 'PROVIDER_CANNOT_ENCRYPT'
  | 'PROVIDER_CANNOT_GET'
  | 'PROVIDER_PACKAGE_MISSING'
  // The secret does not say what its provider needs, or names what it may not name.
  | 'PROVIDER_SETTINGS_MALFORMED'
  | 'PROVIDER_ANNOTATIONS_MALFORMED'
  | 'KMS_NAME_REFUSED'
  // What the guest shows to the service.
  | 'CREDENTIALS_MISSING'
  | 'CREDENTIALS_MALFORMED'
  // What the service says.
  | 'KMS_UNTRUSTED'
  | 'KMS_UNAVAILABLE'
  | 'KMS_DENIED'
  | 'KMS_NOT_FOUND'
  | 'KMS_REQUEST_REFUSED'
  | 'KMS_ANSWER_MALFORMED';

/**
 * A key management service that this guest does not have, that is not to be had, or that says no. Never holds a secret, a
 * credential or the service's own words.
 */
export class KmsError extends CodedError<KmsErrorCode> {}

/** Members of a secret that only its provider understands; each driver checks those that it reads. */
export type ProviderSettings = Readonly<Record<string, Json>>;
export type Annotations = Readonly<Record<string, Json>>;

/** Decrypts with keys that never leave the service. */
export interface Decrypter {
  /** The signal says that nobody waits any more. */
  decrypt(
    ciphertext: Uint8Array,
    keyId: string,
    annotations: Annotations,
    signal?: AbortSignal,
  ): Promise<Uint8Array>;
}

/** What a Decrypter needs to get the plaintext back. */
export interface EncryptedKey {
  readonly ciphertext: Uint8Array;
  /** The key that was used, by its version where the service says which. */
  readonly keyId: string;
  readonly annotations: Annotations;
}

/** Encrypts what a guest will decrypt. For those who seal secrets. */
export interface Encrypter {
  encrypt(
    plaintext: Uint8Array,
    keyId: string,
    annotations: Annotations,
    signal?: AbortSignal,
  ): Promise<EncryptedKey>;
}

/** Gets secrets that the service keeps. */
export interface SecretGetter {
  getSecret(name: string, annotations: Annotations, signal?: AbortSignal): Promise<Uint8Array>;
}

/** What a provider can do. Each function looks at the settings. Throws KmsError, or an error of the driver's own. */
export interface KmsDriver {
  readonly createDecrypter?: (settings: ProviderSettings) => Promise<Decrypter>;
  readonly createEncrypter?: (settings: ProviderSettings) => Promise<Encrypter>;
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

/** Throws KmsError PROVIDER_UNKNOWN, PROVIDER_CANNOT_ENCRYPT, and what the driver throws. */
export async function createEncrypter(
  drivers: KmsDrivers,
  provider: string,
  settings: ProviderSettings,
): Promise<Encrypter> {
  const { createEncrypter: create } = driverOf(drivers, provider);
  if (create !== undefined) return await create(settings);
  throw new KmsError(
    'PROVIDER_CANNOT_ENCRYPT',
    `expected a provider that encrypts, got '${shown(provider)}'`,
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
