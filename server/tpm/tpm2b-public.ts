import { createPublicKey, type KeyObject } from 'node:crypto';
import { ByteReader } from '../bytes/byte-reader.ts';
import { toBase64Url } from '../bytes/encoding.ts';
import { TpmError } from './tpm-error.ts';
import { hashOf, type TpmHash } from './tpm-hash.ts';

/** TPMA_OBJECT (TPM 2.0 Part 2, section 8.3.2): the bits that say what a key is for. */
const ATTRIBUTES = {
  fixedTpm: 1,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  restricted: 16,
  decrypt: 17,
  sign: 18,
} as const;
export type ObjectAttributes = Readonly<Record<keyof typeof ATTRIBUTES, boolean>>;

const RSA = 0x0001;
const ECC = 0x0023;
const NULL = 0x0010;
const RSAES = 0x0015;
const ECDAA = 0x001a;
/** TPM_ECC_CURVE, with the bytes of a coordinate. */
const CURVES: ReadonlyMap<number, { readonly name: string; readonly bytes: number }> = new Map([
  [0x0003, { name: 'P-256', bytes: 32 }],
  [0x0004, { name: 'P-384', bytes: 48 }],
]);
const DEFAULT_EXPONENT = 65537;
const MAX_BYTES = 1024;

/** The public area of a TPM object. */
export interface TpmPublic {
  readonly nameHash: TpmHash;
  readonly attributes: ObjectAttributes;
  readonly publicKey: KeyObject;
  /** The TPMT_PUBLIC, of which the name is made. */
  readonly area: Uint8Array;
}

/**
 * Reads a TPM2B_PUBLIC of an RSA or ECC key (TPM 2.0 Part 2, section 12.2), as `tpm2_createak` writes it. Views share
 * memory with the input. Throws TpmError TPM_KEY_MALFORMED, TPM_KEY_UNSUITABLE; MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function parseTpm2bPublic(bytes: Uint8Array): TpmPublic {
  if (bytes.byteLength > MAX_BYTES) throw malformed(`at most ${MAX_BYTES} bytes`, `${bytes.byteLength}`);
  const outer = new ByteReader(bytes);
  const area = outer.bytes(outer.u16be());
  outer.end();
  const reader = new ByteReader(area);
  const type = reader.u16be(); // type
  const nameHash = hashOf(reader.u16be(), unsuitable); // nameAlg
  const attributes = readAttributes(reader.u32be()); // objectAttributes
  reader.bytes(reader.u16be()); // authPolicy
  const publicKey = readKey(type, reader); // parameters, unique
  reader.end();
  return { nameHash, attributes, publicKey, area };
}

function readAttributes(bits: number): ObjectAttributes {
  const has = (name: keyof typeof ATTRIBUTES): boolean => (bits & (1 << ATTRIBUTES[name])) !== 0;
  return {
    fixedTpm: has('fixedTpm'),
    fixedParent: has('fixedParent'),
    sensitiveDataOrigin: has('sensitiveDataOrigin'),
    restricted: has('restricted'),
    decrypt: has('decrypt'),
    sign: has('sign'),
  };
}

function readKey(type: number, reader: ByteReader): KeyObject {
  if (type === RSA) return readRsa(reader);
  if (type === ECC) return readEcc(reader);
  throw unsuitable(`type 0x${type.toString(16).padStart(4, '0')}`);
}

/** TPMS_RSA_PARMS, TPM2B_PUBLIC_KEY_RSA */
function readRsa(reader: ByteReader): KeyObject {
  skipSymmetric(reader);
  skipScheme(reader);
  const bits = reader.u16be();
  const exponent = reader.u32be() || DEFAULT_EXPONENT;
  const modulus = reader.bytes(reader.u16be());
  if (modulus.byteLength * 8 !== bits)
    throw malformed(`a modulus of ${bits} bits`, `${modulus.byteLength * 8}`);
  const bigEndian = [exponent >>> 24, exponent >>> 16, exponent >>> 8, exponent].map((byte) => byte & 0xff);
  const e = Uint8Array.from(bigEndian.slice(bigEndian.findIndex((byte) => byte !== 0)));
  return toKey({ kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(e) });
}

/** TPMS_ECC_PARMS, TPMS_ECC_POINT */
function readEcc(reader: ByteReader): KeyObject {
  skipSymmetric(reader);
  skipScheme(reader);
  const id = reader.u16be();
  const curve = CURVES.get(id);
  if (curve === undefined) throw unsuitable(`curve 0x${id.toString(16).padStart(4, '0')}`);
  skipScheme(reader); // kdf
  const x = readCoordinate(reader, curve.bytes);
  const y = readCoordinate(reader, curve.bytes);
  return toKey({ kty: 'EC', crv: curve.name, x, y });
}

function readCoordinate(reader: ByteReader, length: number): string {
  const value = reader.bytes(reader.u16be());
  if (value.byteLength > length) throw malformed(`coordinates of ${length} bytes`, `${value.byteLength}`);
  const padded = new Uint8Array(length);
  padded.set(value, length - value.byteLength);
  return toBase64Url(padded);
}

/** TPMT_SYM_DEF_OBJECT: algorithm, and unless there is none, key bits and mode. */
function skipSymmetric(reader: ByteReader): void {
  if (reader.u16be() !== NULL) reader.bytes(4);
}

/** TPMT_RSA_SCHEME, TPMT_ECC_SCHEME, TPMT_KDF_SCHEME: all but three have a hash for details. */
function skipScheme(reader: ByteReader): void {
  const scheme = reader.u16be();
  if (scheme === NULL || scheme === RSAES) return;
  reader.bytes(scheme === ECDAA ? 4 : 2);
}

function toKey(jwk: { readonly kty: string; readonly [member: string]: string }): KeyObject {
  try {
    return createPublicKey({ format: 'jwk', key: jwk });
  } catch (cause) {
    throw malformed('a public key', 'something else', cause);
  }
}

function malformed(expected: string, came: string, cause?: unknown): TpmError {
  return new TpmError('TPM_KEY_MALFORMED', `expected a TPM2B_PUBLIC with ${expected}, got ${came}`, {
    cause,
  });
}

function unsuitable(came: string): TpmError {
  return new TpmError(
    'TPM_KEY_UNSUITABLE',
    `expected an RSA key or one on P-256 or P-384, named by SHA-1 or SHA-2, got ${came}`,
  );
}
