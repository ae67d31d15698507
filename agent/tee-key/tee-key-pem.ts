import { createPrivateKey, KeyObject } from 'node:crypto';
import { importTeeKey, type TeeKey } from './tee-key.ts';
import { TeeKeyError } from './tee-key-error.ts';

/** Far more than any key of ours. */
const MAX_PEM_LENGTH = 16_384;

/** The private key as upstream's Attestation Agent hands it on: EC as PKCS #8, RSA as PKCS #1. A secret. */
export function teeKeyPem({ privateKey, algorithm }: TeeKey): string {
  const type = algorithm === 'RSA-OAEP-256' ? 'pkcs1' : 'pkcs8';
  return String(KeyObject.from(privateKey).export({ type, format: 'pem' }));
}

/** Reads PKCS #8, PKCS #1 or SEC 1. Throws TeeKeyError TEE_KEY_MALFORMED. */
export async function parseTeeKeyPem(pem: string): Promise<TeeKey> {
  return await importTeeKey(readJwk(pem));
}

function readJwk(pem: string): unknown {
  try {
    if (pem.length > MAX_PEM_LENGTH) throw new RangeError('too long');
    return createPrivateKey({ key: pem, format: 'pem' }).export({ format: 'jwk' });
  } catch {
    // The cause is left out: it may repeat the text, and the text is a key.
    throw new TeeKeyError('TEE_KEY_MALFORMED', 'expected a private key in PEM, got something else');
  }
}
