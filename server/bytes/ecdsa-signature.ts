import { concatBytes } from './byte-strings.ts';

/*
 * The two forms of an ECDSA signature. `node:crypto` converts between them itself when it is given its key inside an
 * options object, but then takes about as long to look at that object as to sign.
 */

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** Lengths from here on take a byte more. */
const LONG_LENGTH = 0x80;
const SIGN_BIT = 0x80;

/** `r ‖ s`, big-endian, both as long as the order of the curve (IEEE P1363), as DER (RFC 3279, section 2.2.3). */
export function ecdsaSignatureToDer(signature: Uint8Array): Uint8Array {
  const half = signature.byteLength / 2;
  const r = derInteger(signature.subarray(0, half));
  const s = derInteger(signature.subarray(half));
  const length = r.byteLength + s.byteLength;
  return concatBytes(
    Uint8Array.from(length < LONG_LENGTH ? [SEQUENCE, length] : [SEQUENCE, 0x81, length]),
    r,
    s,
  );
}

/** The reverse, for signatures of our own making; each scalar takes `scalarBytes`. */
export function ecdsaSignatureFromDer(der: Uint8Array, scalarBytes: number): Uint8Array {
  const signature = new Uint8Array(2 * scalarBytes);
  const rTag = der[1] === 0x81 ? 3 : 2;
  const rStart = rTag + 2;
  const rEnd = rStart + (der[rTag + 1] ?? 0);
  const r = withoutSign(der.subarray(rStart, rEnd));
  const s = withoutSign(der.subarray(rEnd + 2));
  signature.set(r, scalarBytes - r.byteLength);
  signature.set(s, 2 * scalarBytes - s.byteLength);
  return signature;
}

/** A positive integer in as few bytes as it takes: the first bit is a sign. */
function derInteger(scalar: Uint8Array): Uint8Array {
  const first = scalar.findIndex((byte) => byte !== 0);
  const magnitude = scalar.subarray(first === -1 ? -1 : first);
  const signBytes = (magnitude[0] ?? 0) < SIGN_BIT ? 0 : 1;
  const integer = new Uint8Array(2 + signBytes + magnitude.byteLength);
  integer[0] = INTEGER;
  integer[1] = signBytes + magnitude.byteLength;
  integer.set(magnitude, 2 + signBytes);
  return integer;
}

function withoutSign(integer: Uint8Array): Uint8Array {
  return integer[0] === 0 ? integer.subarray(1) : integer;
}
