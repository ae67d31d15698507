import { KmsError } from './kms.ts';

/**
 * Loads a package that only guests with this provider install. Throws KmsError PROVIDER_PACKAGE_MISSING, which names it.
 */
export async function loadOptionalPackage<T>(
  provider: string,
  name: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new KmsError(
      'PROVIDER_PACKAGE_MISSING',
      `provider ${provider}: expected the package ${name} to be installed, got none that loads`,
      { cause },
    );
  }
}
