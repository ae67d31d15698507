import type * as Pkcs11 from 'pkcs11js';
import type { Handle, PKCS11 } from 'pkcs11js';
import { z } from 'zod';
import { fileNamePart, malformed, readCredential } from '../credential-folder.ts';
import { KmsError } from '../kms.ts';
import type { KmsContext } from '../kms-context.ts';
import { loadOptionalPackage } from '../optional-package.ts';

export const PKCS11_PROVIDER = 'pkcs11';

type Pkcs11Package = typeof Pkcs11;

const credentialSchema = z.strictObject({
  /** The vendor's library, as an absolute path. It is loaded into the hub: whoever writes this file is believed entirely. */
  module: z.string().regex(/^\//),
  token_label: z.string().min(1).max(32),
  pin: z.string().min(1).max(256),
});
type TokenCredential = z.output<typeof credentialSchema>;

/** One session of a token, logged in. */
export interface TokenSession {
  readonly library: Pkcs11Package;
  readonly module: PKCS11;
  readonly handle: Handle;
}

/** Runs with a session, which is closed afterwards. Throws KmsError. */
export type WithSession = <T>(run: (session: TokenSession) => Promise<T>) => Promise<T>;

/** Keeps the vendors' libraries: a process may initialise each of them once. */
export type Pkcs11Modules = Map<string, PKCS11>;

/**
 * The token of `credential.json`, or of `credential_<name>.json` where a guest has several. Throws KmsError:
 * CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, KMS_NAME_REFUSED, PROVIDER_PACKAGE_MISSING.
 */
export async function loadToken(
  { credentials }: KmsContext,
  modules: Pkcs11Modules,
  name: string | undefined,
): Promise<WithSession> {
  const file = name === undefined ? 'credential.json' : `credential_${fileNamePart('token', name)}.json`;
  const credential = await readCredential(credentials, PKCS11_PROVIDER, file, credentialSchema);
  const library = await loadOptionalPackage(PKCS11_PROVIDER, 'pkcs11js', async () => {
    const loaded: { readonly default: Pkcs11Package } = await import('pkcs11js');
    return loaded.default;
  });
  const module = modules.get(credential.module) ?? openModule(library, credential, file);
  modules.set(credential.module, module);
  return async (run) => await withSession(library, module, credential, run);
}

function openModule(library: Pkcs11Package, { module: path }: TokenCredential, file: string): PKCS11 {
  const module = new library.PKCS11();
  try {
    module.load(path);
  } catch (cause) {
    throw malformed(PKCS11_PROVIDER, file, "a library that loads in 'module'", cause);
  }
  try {
    module.C_Initialize({ flags: library.CKF_OS_LOCKING_OK });
  } catch (error) {
    if (codeOf(error) !== library.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw tokenFailure(library, error);
  }
  return module;
}

async function withSession<T>(
  library: Pkcs11Package,
  module: PKCS11,
  credential: TokenCredential,
  run: (session: TokenSession) => Promise<T>,
): Promise<T> {
  let handle: Handle | undefined;
  try {
    handle = module.C_OpenSession(slotOf(library, module, credential), library.CKF_SERIAL_SESSION);
    logIn(library, module, handle, credential);
    return await run({ library, module, handle });
  } catch (error) {
    throw error instanceof KmsError ? error : tokenFailure(library, error);
  } finally {
    if (handle !== undefined) close(module, handle);
  }
}

/** What became of the session's work is known by now: a token that was pulled out meanwhile changes nothing about it. */
function close(module: PKCS11, handle: Handle): void {
  try {
    module.C_CloseSession(handle);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** By label: numbers of slots change with what is plugged in. */
function slotOf(library: Pkcs11Package, module: PKCS11, { token_label: label }: TokenCredential): Handle {
  const slots = module.C_GetSlotList(true);
  const found = slots.filter((slot) => module.C_GetTokenInfo(slot).label.trimEnd() === label);
  const [slot] = found;
  if (slot !== undefined && found.length === 1) return slot;
  throw new KmsError(
    'KMS_NOT_FOUND',
    `PKCS#11: expected one token of the configured label, got ${found.length} of ${slots.length}`,
    { cause: library.CKR_TOKEN_NOT_PRESENT },
  );
}

/** A login is of the whole process: with another session open it has happened already. */
function logIn(library: Pkcs11Package, module: PKCS11, handle: Handle, { pin }: TokenCredential): void {
  try {
    module.C_Login(handle, library.CKU_USER, pin);
  } catch (error) {
    if (codeOf(error) !== library.CKR_USER_ALREADY_LOGGED_IN) throw error;
  }
}

function tokenFailure(library: Pkcs11Package, error: unknown): KmsError {
  const code = codeOf(error);
  if (code === undefined)
    return new KmsError('KMS_UNAVAILABLE', 'PKCS#11: expected a call to succeed, got none', { cause: error });
  const name = error instanceof Error ? error.message.replaceAll(/[^A-Z0-9_]/g, '').slice(0, 64) : '';
  return new KmsError(kindOf(library, code), `PKCS#11: expected CKR_OK, got ${name}`);
}

function kindOf(library: Pkcs11Package, code: number): KmsError['code'] {
  const denied = [
    library.CKR_PIN_INCORRECT,
    library.CKR_PIN_LOCKED,
    library.CKR_PIN_EXPIRED,
    library.CKR_PIN_LEN_RANGE,
    library.CKR_USER_NOT_LOGGED_IN,
    library.CKR_USER_PIN_NOT_INITIALIZED,
    library.CKR_KEY_FUNCTION_NOT_PERMITTED,
  ];
  const away = [
    library.CKR_DEVICE_ERROR,
    library.CKR_DEVICE_MEMORY,
    library.CKR_DEVICE_REMOVED,
    library.CKR_TOKEN_NOT_PRESENT,
    library.CKR_HOST_MEMORY,
    library.CKR_GENERAL_ERROR,
    library.CKR_FUNCTION_FAILED,
    library.CKR_SESSION_COUNT,
    library.CKR_SESSION_HANDLE_INVALID,
  ];
  if (denied.includes(code)) return 'KMS_DENIED';
  return away.includes(code) ? 'KMS_UNAVAILABLE' : 'KMS_REQUEST_REFUSED';
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
