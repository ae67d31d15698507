import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { link, mkdir, open, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import { toEpochSeconds } from '../clock.ts';
import { thumbprintOf } from '../token/jwk-thumbprint.ts';
import { liveKeys } from '../token/key-source.ts';
import { parseVerificationKey } from '../token/verification-key.ts';
import type { IdentityProvider } from './admin-auth.ts';
import { AdminConfigurationError } from './admin-error.ts';

/** The key of the administrators of this very installation: whoever can read its file is one. */
export interface AdminKey {
  readonly privateKey: KeyObject;
  /** RFC 7638 thumbprint of the public key. */
  readonly keyId: string;
}

const ISSUER = 'verigo-admin';
const AUDIENCE = 'verigo';
const OWNER_ONLY = 0o600;
const PERMISSIONS = 0o777;
const OTHERS = 0o077;

/** Loads the key of the file, or makes it: Ed25519, PKCS#8 in PEM, mode 0600. Throws AdminConfigurationError. */
export async function loadOrCreateAdminKey(file: string): Promise<AdminKey> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await createUnlessThere(file);
  return await loadAdminKey(file);
}

/** Loads the key of the file. Throws AdminConfigurationError ADMIN_KEY_UNUSABLE, also when others may read the file. */
export async function loadAdminKey(file: string): Promise<AdminKey> {
  const handle = await openKey(file);
  try {
    // The opened file is asked, not its name: nobody can exchange it in between.
    const mode = (await handle.stat()).mode & PERMISSIONS;
    if ((mode & OTHERS) !== 0) {
      throw unusable(`expected the file to be its owner's alone (chmod 600), got mode ${mode.toString(8)}`);
    }
    return readKey(await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

/** A token for an administrator of this installation: JWS, EdDSA. */
export function mintAdminToken(
  key: AdminKey,
  options: {
    readonly role: string;
    readonly subject: string;
    readonly lifetimeSeconds: number;
    readonly at: Date;
  },
): string {
  const issuedAt = toEpochSeconds(options.at);
  const header = { typ: 'JWT', alg: 'EdDSA', kid: key.keyId };
  const claims = {
    iss: ISSUER,
    aud: [AUDIENCE],
    sub: options.subject,
    role: options.role,
    iat: issuedAt,
    exp: issuedAt + options.lifetimeSeconds,
  };
  const signed = [header, claims].map((part) => toBase64Url(toUtf8(JSON.stringify(part)))).join('.');
  return `${signed}.${toBase64Url(sign(undefined, toUtf8(signed), key.privateKey))}`;
}

/** The provider that believes the tokens of this key. */
export function localIdentityProvider(key: AdminKey): IdentityProvider {
  const jwk = { ...createPublicKey(key.privateKey).export({ format: 'jwk' }) };
  const keys = [parseVerificationKey({ kty: 'OKP', crv: 'Ed25519', x: jwk.x ?? '' })];
  return { issuer: ISSUER, audience: AUDIENCE, keys: liveKeys(() => keys) };
}

/** The file appears with its content or not at all, and never replaces another: two processes may start at once. */
async function createUnlessThere(file: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(temporary, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: OWNER_ONLY,
    flag: 'wx',
  });
  try {
    await link(temporary, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await unlink(temporary);
  }
}

async function openKey(file: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(file, 'r');
  } catch (cause) {
    throw unusable('expected a readable file, got none', { cause });
  }
}

function readKey(pem: string): AdminKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    // OpenSSL's error is not passed on: it may quote the file.
    throw unusable('expected an Ed25519 private key in PEM, got something else');
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw unusable(`expected an Ed25519 private key, got ${privateKey.asymmetricKeyType ?? 'another'}`);
  }
  return { privateKey, keyId: thumbprintOf({ ...createPublicKey(privateKey).export({ format: 'jwk' }) }) };
}

function unusable(what: string, options?: ErrorOptions): AdminConfigurationError {
  return new AdminConfigurationError('ADMIN_KEY_UNUSABLE', `administrator's key file: ${what}`, options);
}
