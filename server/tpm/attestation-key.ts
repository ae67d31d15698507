import { constants, createPublicKey, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto';
import { bytesEqual } from '../bytes/byte-strings.ts';
import { ecdsaSignatureToDer } from '../bytes/ecdsa-signature.ts';
import { toBase64 } from '../bytes/encoding.ts';
import { TpmError } from './tpm-error.ts';
import type { TpmSignature } from './tpmt-signature.ts';

/** Bytes of an SPKI with an RSA key of 4096 bits, and some more. */
const MAX_SPKI_BYTES = 1024;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;
/** TPMs make no other; an attacker's would make us work longer. */
const RSA_EXPONENT = 65537n;
/** Bytes of a scalar. */
const CURVES: ReadonlyMap<string, number> = new Map([
  ['prime256v1', 32],
  ['secp384r1', 48],
]);

/** A key whose type and size are those that TPMs sign with. Whose it is remains to be shown. */
export interface AttestationKey {
  readonly publicKey: KeyObject;
  readonly spki: Uint8Array;
}

/**
 * Reads the DER of a SubjectPublicKeyInfo: RSA of 2048 to 4096 bits with the exponent 65537, P-256 or P-384.
 * Throws TpmError TPM_KEY_MALFORMED, TPM_KEY_UNSUITABLE.
 */
export function parseAttestationKey(spki: Uint8Array): AttestationKey {
  if (spki.byteLength > MAX_SPKI_BYTES) {
    throw malformed(`at most ${MAX_SPKI_BYTES} bytes of public key`, `${spki.byteLength}`);
  }
  const key = toAttestationKey(readSpki(spki));
  if (!bytesEqual(key.spki, spki)) throw malformed('a public key in DER', 'another encoding of one');
  return key;
}

/** The same for a key that has been read. Throws TpmError TPM_KEY_UNSUITABLE. */
export function toAttestationKey(publicKey: KeyObject): AttestationKey {
  if (!isRsa(publicKey) && scalarBytesOf(publicKey) === undefined) {
    throw new TpmError(
      'TPM_KEY_UNSUITABLE',
      `expected an RSA key of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits with exponent 65537, or one on P-256 or P-384, got another of type ${publicKey.asymmetricKeyType ?? 'unknown'}`,
    );
  }
  return { publicKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

/**
 * Checks that `key` signed `message`. Runs on the thread pool.
 * Throws TpmError SIGNATURE_ALGORITHM_UNSUPPORTED when key and scheme do not fit, SIGNATURE_MALFORMED, SIGNATURE_INVALID.
 */
export async function verifyTpmSignature(
  message: Uint8Array,
  signature: TpmSignature,
  { publicKey }: AttestationKey,
): Promise<void> {
  const { input, bytes } = prepare(signature, publicKey);
  const isValid = await new Promise<boolean>((resolve, reject) => {
    verify(signature.hash, message, input, bytes, (error, isValid) => {
      if (error === null) resolve(isValid);
      else reject(error);
    });
  });
  if (isValid) return;
  throw new TpmError(
    'SIGNATURE_INVALID',
    'expected the quote to be signed by its attestation key, got another signature',
  );
}

interface PreparedSignature {
  readonly input: KeyObject | VerifyKeyObjectInput;
  readonly bytes: Uint8Array;
}

function prepare(signature: TpmSignature, key: KeyObject): PreparedSignature {
  const needed = signature.scheme === 'ecdsa' ? 'ec' : 'rsa';
  if (key.asymmetricKeyType !== needed) {
    throw new TpmError(
      'SIGNATURE_ALGORITHM_UNSUPPORTED',
      `expected a signature that fits a key of type ${key.asymmetricKeyType ?? 'unknown'}, got ${signature.scheme}`,
    );
  }
  switch (signature.scheme) {
    case 'rsassa':
      return { input: key, bytes: signature.signature };
    case 'rsapss':
      // The salt is as long as key and hash allow, or as the hash (TPM 2.0 Part 1, annex B.7): its length is not pinned.
      return {
        input: {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_AUTO,
        },
        bytes: signature.signature,
      };
    case 'ecdsa':
      return { input: key, bytes: toDer(signature, key) };
  }
}

function toDer({ r, s }: { readonly r: Uint8Array; readonly s: Uint8Array }, key: KeyObject): Uint8Array {
  const scalarBytes = scalarBytesOf(key) ?? 0;
  if (r.byteLength > scalarBytes || s.byteLength > scalarBytes) {
    throw new TpmError(
      'SIGNATURE_MALFORMED',
      `expected r and s of at most ${scalarBytes} bytes, got ${r.byteLength} and ${s.byteLength}`,
    );
  }
  const fixed = new Uint8Array(2 * scalarBytes);
  fixed.set(r, scalarBytes - r.byteLength);
  fixed.set(s, 2 * scalarBytes - s.byteLength);
  return ecdsaSignatureToDer(fixed);
}

function isRsa({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  const bits = details?.modulusLength ?? 0;
  const isInRange = bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
  return type === 'rsa' && isInRange && details?.publicExponent === RSA_EXPONENT;
}

/** `undefined` for what is not on one of our curves. */
function scalarBytesOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): number | undefined {
  return type === 'ec' ? CURVES.get(details?.namedCurve ?? '') : undefined;
}

function readSpki(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey(toPem(spki));
  } catch (cause) {
    throw malformed('a public key as SubjectPublicKeyInfo', `${spki.byteLength} bytes that are none`, cause);
  }
}

/** As text, since the types of `createPublicKey` take bytes as Buffer only. Lines of 64 characters: RFC 7468, section 2. */
function toPem(spki: Uint8Array): string {
  const lines = toBase64(spki).replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
}

function malformed(expected: string, came: string, cause?: unknown): TpmError {
  return new TpmError('TPM_KEY_MALFORMED', `expected ${expected}, got ${came}`, { cause });
}
