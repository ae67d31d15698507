import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface FakeKeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface FakeBank {
  /** TPM_ALG_ID */
  readonly algorithm: number;
  readonly indices: readonly number[];
  /** 3 */
  readonly bitmapBytes?: number;
}

/** Everything about a quote that a test may want wrong. */
export interface FakeQuoteOptions {
  readonly magic?: number;
  readonly type?: number;
  readonly extraData?: Uint8Array;
  readonly safe?: number;
  /** What the signed selection says. SHA-256, PCR 0 to 23, unless given. */
  readonly selection?: readonly FakeBank[];
  /** What the digest is made of, and what goes with the quote unless a test sends other values. */
  readonly values?: readonly Uint8Array[];
  readonly pcrDigest?: Uint8Array;
  /** The hash of signature and digest. */
  readonly hash?: FakeHash;
  readonly scheme?: 'rsassa' | 'rsapss' | 'ecdsa';
  /** Who signs, where it is not the attestation key. */
  readonly signer?: KeyObject;
}

export type FakeHash = keyof typeof HASH_IDS;

/** A quote as the TPM gives it away, and the values of its PCRs. */
export interface FakeQuote {
  readonly message: Uint8Array;
  /** TPMT_SIGNATURE */
  readonly signature: Uint8Array;
  /** RSA: the signature alone, as Azure guests send it. */
  readonly rawSignature: Uint8Array;
  readonly values: readonly Uint8Array[];
}

export const SHA256_BANK = 0x000b;
const HASH_IDS = { sha1: 0x0004, sha256: SHA256_BANK, sha384: 0x000c, sha512: 0x000d } as const;
const SCHEME_IDS = { rsassa: 0x0014, rsapss: 0x0016, ecdsa: 0x0018 } as const;

export function createFakeAk(): FakeKeyPair {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** PCR n holds n + 1 in every byte, PCR 8 nothing. */
export function fakePcrs(count = 24): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => new Uint8Array(32).fill(index === 8 ? 0 : index + 1));
}

/** What a PCR holds after the one extension with this digest. */
export function extendedOnce(digest: Uint8Array): Buffer {
  return createHash('sha256').update(new Uint8Array(32)).update(digest).digest();
}

export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

export function fakeQuote(key: KeyObject, options: FakeQuoteOptions = {}): FakeQuote {
  const { hash = 'sha256', scheme = 'rsassa', values = fakePcrs(), signer = key } = options;
  const digest = createHash(hash);
  for (const value of values) digest.update(value);
  const message = encodeFakeAttestation({ pcrDigest: digest.digest(), ...options });
  return { message, values, ...signFakeMessage(message, signer, scheme, hash) };
}

/** TPMS_ATTEST. Written apart from the server's reader, so that one checks the other. */
export function encodeFakeAttestation(options: FakeQuoteOptions = {}): Uint8Array {
  const selection = options.selection ?? [{ algorithm: SHA256_BANK, indices: range(0, 24) }];
  return Buffer.concat([
    u32(options.magic ?? 0xff544347),
    u16(options.type ?? 0x8018),
    sized(Buffer.from(`000b${'5a'.repeat(32)}`, 'hex')),
    sized(options.extraData ?? new Uint8Array()),
    u32(0),
    u32(4711), // clock
    u32(2),
    u32(1), // resetCount, restartCount
    Uint8Array.of(options.safe ?? 1),
    u32(0x20240101),
    u32(0x00120000), // firmwareVersion
    encodeFakeSelection(selection),
    sized(options.pcrDigest ?? new Uint8Array(32)),
  ]);
}

/** TPML_PCR_SELECTION */
export function encodeFakeSelection(banks: readonly FakeBank[]): Uint8Array {
  return Buffer.concat([
    u32(banks.length),
    ...banks.map(({ algorithm, indices, bitmapBytes = 3 }) => {
      const bitmap = new Uint8Array(bitmapBytes);
      for (const index of indices) bitmap[index >> 3]! |= 1 << (index & 7);
      return Buffer.concat([u16(algorithm), Uint8Array.of(bitmapBytes), bitmap]);
    }),
  ]);
}

/** TPMT_SIGNATURE, and for RSA the signature alone. */
export function signFakeMessage(
  message: Uint8Array,
  key: KeyObject,
  scheme: keyof typeof SCHEME_IDS,
  hash: FakeHash,
): { readonly signature: Uint8Array; readonly rawSignature: Uint8Array } {
  const header = Buffer.concat([u16(SCHEME_IDS[scheme]), u16(HASH_IDS[hash])]);
  if (scheme === 'ecdsa') {
    const raw = sign(hash, message, { key, dsaEncoding: 'ieee-p1363' });
    const half = raw.byteLength / 2;
    const signature = Buffer.concat([header, sized(raw.subarray(0, half)), sized(raw.subarray(half))]);
    return { signature, rawSignature: raw };
  }
  const padding = scheme === 'rsapss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const raw = sign(hash, message, { key, padding });
  return { signature: Buffer.concat([header, sized(raw)]), rawSignature: raw };
}

/** TPM2B */
export function sized(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([u16(bytes.byteLength), bytes]);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}
