import { type KeyObject, verify } from 'node:crypto';
import { fromUtf8, toUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { openContent } from '../content-cipher.ts';
import { createDecrypter, createGetter, type KmsDrivers } from '../kms/kms.ts';
import { parseSignedSecret, parseUnverifiedPayload, type SignedSecret } from './compact-form.ts';
import { SealedSecretError } from './sealed-secret-error.ts';
import { type EnvelopePayload, parseSecretPayload, type SecretPayload } from './secret-payload.ts';
import type { FindVerificationKey } from './verification-keys.ts';

export interface UnsealOptions {
  /**
   * Which keys sign secrets for this guest. `dangerously-skip`: header and signature are not looked at, so that whoever
   * writes a pod's specification, the host among them, chooses what the guest unseals; for secrets of old tools.
   */
  readonly verificationKeys: FindVerificationKey | 'dangerously-skip';
  readonly drivers: KmsDrivers;
}

/** Opens `sealed.…`, ASCII. */
export type Unseal = (secret: Uint8Array) => Promise<Uint8Array>;

/**
 * Throws SealedSecretError, KmsError, ContentCipherError, and what the provider's driver and the key's source throw.
 */
export function createUnseal({ verificationKeys, drivers }: UnsealOptions): Unseal {
  return async (secret) => {
    const text = readText(secret);
    const payload =
      verificationKeys === 'dangerously-skip'
        ? parseUnverifiedPayload(text)
        : await verifiedPayload(parseSignedSecret(text), verificationKeys);
    return await openPayload(parseSecretPayload(payload), drivers);
  };
}

async function verifiedPayload(secret: SignedSecret, findKey: FindVerificationKey): Promise<Uint8Array> {
  verifySignature(secret, await findKey(secret.kid));
  return secret.payload;
}

function verifySignature({ signedText, signature }: SignedSecret, key: KeyObject): void {
  if (verify('sha256', toUtf8(signedText), { key, dsaEncoding: 'ieee-p1363' }, signature)) return;
  throw new SealedSecretError(
    'SEALED_SECRET_SIGNATURE_INVALID',
    'sealed secret: expected a signature of the key that its kid names, got another',
  );
}

async function openPayload(payload: SecretPayload, drivers: KmsDrivers): Promise<Uint8Array> {
  switch (payload.type) {
    case 'vault': {
      const getter = await createGetter(drivers, payload.provider, payload.provider_settings);
      return await getter.getSecret(payload.name, payload.annotations);
    }
    case 'envelope':
      return await openEnvelope(payload, drivers);
  }
}

async function openEnvelope(payload: EnvelopePayload, drivers: KmsDrivers): Promise<Uint8Array> {
  const decrypter = await createDecrypter(drivers, payload.provider, payload.provider_settings);
  const key = await decrypter.decrypt(payload.encrypted_key, payload.key_id, payload.annotations);
  try {
    const { wrap_type: wrapType, iv, encrypted_data: ciphertext } = payload;
    return openContent({ wrapType, iv, ciphertext }, key);
  } finally {
    key.fill(0);
  }
}

function readText(secret: Uint8Array): string {
  try {
    return fromUtf8(secret);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new SealedSecretError('SEALED_SECRET_MALFORMED', 'sealed secret: expected text, got other bytes', {
      cause,
    });
  }
}
