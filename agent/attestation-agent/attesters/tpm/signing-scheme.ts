import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { AttesterError } from '../attester-error.ts';

/** How a key signs, in the words of the tools. */
export interface SigningScheme {
  readonly scheme: 'rsassa' | 'rsapss' | 'ecdsa';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

/** TPM 2.0 Part 2, TPM_ALG_ID. */
const NULL = 0x0010;
const SCHEMES: ReadonlyMap<number, SigningScheme['scheme']> = new Map([
  [0x0014, 'rsassa'],
  [0x0016, 'rsapss'],
  [0x0018, 'ecdsa'],
]);
const HASHES: ReadonlyMap<number, SigningScheme['hash']> = new Map([
  [0x000b, 'sha256'],
  [0x000c, 'sha384'],
  [0x000d, 'sha512'],
]);

/**
 * The scheme that an attestation key is bound to, from its TPM2B_PUBLIC (TPM 2.0 Part 2, sections 12.2.3.5 and 12.2.3.6). Tools
 * ask for a scheme of their own choice unless they are told, which other keys refuse. Throws AttesterError TPM_FAILED for a
 * key that is no attestation key, and for schemes that servers do not verify.
 */
export function signingSchemeOf(area: Uint8Array): SigningScheme {
  try {
    const reader = new ByteReader(area);
    reader.bytes(2 + 2 + 2 + 4); // size, type, nameAlg, objectAttributes
    reader.bytes(reader.u16be()); // authPolicy
    const symmetric = reader.u16be(); // parameters.symmetric
    const scheme = SCHEMES.get(reader.u16be()); // parameters.scheme.scheme
    const hash = HASHES.get(reader.u16be()); // parameters.scheme.details.hashAlg
    if (symmetric === NULL && scheme !== undefined && hash !== undefined) return { scheme, hash };
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw unsuitable(cause);
  }
  throw unsuitable();
}

function unsuitable(cause?: unknown): AttesterError {
  return new AttesterError(
    'TPM_FAILED',
    'expected an attestation key for RSASSA, RSAPSS or ECDSA with SHA-2, got another key',
    { cause },
  );
}
