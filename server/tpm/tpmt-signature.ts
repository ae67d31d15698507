import { ByteReader } from '../bytes/byte-reader.ts';
import { TpmError } from './tpm-error.ts';
import { hashOf, type TpmHash } from './tpm-hash.ts';

/** What we verify signatures with. SHA-1 is a hash of banks only. */
export type SignatureHash = Exclude<TpmHash, 'sha1'>;

/** A signature of a TPM in one of the schemes that we verify. `r` and `s` big-endian, of any length up to the curve's. */
export type TpmSignature =
  | {
      readonly scheme: 'rsassa' | 'rsapss';
      readonly hash: SignatureHash;
      readonly signature: Uint8Array;
    }
  | {
      readonly scheme: 'ecdsa';
      readonly hash: SignatureHash;
      readonly r: Uint8Array;
      readonly s: Uint8Array;
    };

/** TPM 2.0 Part 2, TPM_ALG_ID. The rest is refused by name. */
const SCHEMES: ReadonlyMap<number, TpmSignature['scheme']> = new Map([
  [0x0014, 'rsassa'],
  [0x0016, 'rsapss'],
  [0x0018, 'ecdsa'],
]);
const OTHER_SCHEMES: ReadonlyMap<number, string> = new Map([
  [0x0005, 'HMAC'],
  [0x0010, 'no signature'],
  [0x001a, 'ECDAA'],
  [0x001b, 'SM2'],
  [0x001c, 'EC Schnorr'],
]);

/**
 * Reads a TPMT_SIGNATURE (TPM 2.0 Part 2, section 11.3.4). Views share memory with the input.
 * Throws TpmError SIGNATURE_ALGORITHM_UNSUPPORTED; MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function parseTpmSignature(bytes: Uint8Array): TpmSignature {
  const reader = new ByteReader(bytes);
  const scheme = readScheme(reader.u16be()); // sigAlg
  const hash = signatureHash(reader.u16be()); // signature.hash
  const signature: TpmSignature =
    scheme === 'ecdsa'
      ? { scheme, hash, r: reader.bytes(reader.u16be()), s: reader.bytes(reader.u16be()) }
      : { scheme, hash, signature: reader.bytes(reader.u16be()) };
  reader.end();
  return signature;
}

function readScheme(algorithm: number): TpmSignature['scheme'] {
  const scheme = SCHEMES.get(algorithm);
  if (scheme !== undefined) return scheme;
  throw unsupported(OTHER_SCHEMES.get(algorithm) ?? `algorithm 0x${algorithm.toString(16).padStart(4, '0')}`);
}

function signatureHash(algorithm: number): SignatureHash {
  const hash = hashOf(algorithm, unsupported);
  if (hash === 'sha1') throw unsupported('SHA-1');
  return hash;
}

function unsupported(came: string): TpmError {
  return new TpmError(
    'SIGNATURE_ALGORITHM_UNSUPPORTED',
    `expected RSASSA, RSAPSS or ECDSA with SHA-256, SHA-384 or SHA-512, got ${came}`,
  );
}
