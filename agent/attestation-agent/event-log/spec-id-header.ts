import { concatBytes } from '../../../server/bytes/byte-strings.ts';
import { hashId, type RegisterHash, registerBytes, u16le, u32le } from './aael-event.ts';

const EV_NO_ACTION = 0x3;
const SHA1_BYTES = 20;
const SIGNATURE_BYTES = 16;

/**
 * The first record of a log that no firmware began: TCG_PCClientPCREvent holding a TCG_EfiSpecIDEvent (TCG PC Client Platform
 * Firmware Profile), which says what digests the others have. As upstream's guests write it: signature, platform class and
 * versions are zero.
 */
export function specIdHeader(hashes: readonly RegisterHash[]): Uint8Array {
  const event = concatBytes(
    new Uint8Array(SIGNATURE_BYTES), // signature
    new Uint8Array(4), // platformClass
    new Uint8Array(4), // specVersionMinor, specVersionMajor, specErrata, uintnSize
    u32le(hashes.length), // numberOfAlgorithms
    ...hashes.map((hash) => concatBytes(u16le(hashId(hash)), u16le(registerBytes(hash)))), // digestSizes
    Uint8Array.of(0), // vendorInfoSize
  );
  return concatBytes(
    u32le(0), // pcrIndex
    u32le(EV_NO_ACTION), // eventType
    new Uint8Array(SHA1_BYTES), // digest
    u32le(event.byteLength), // eventSize
    event, // event
  );
}
