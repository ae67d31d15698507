import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { concatBytes, sha256 } from '../bytes/byte-strings.ts';
import { toHex, toUtf8 } from '../bytes/encoding.ts';
import { importP256Key } from './p256-key.ts';
import type { ProvenPck } from './pck-chain.ts';
import type { Quote } from './quote.ts';
import { QuoteError } from './quote-error.ts';
import { requireAttestationKeyBound, verifyQeReportSignature } from './quote-signature.ts';

/**
 * The key that signs the quotes of a platform, once its PCK vouches for the QE, and the QE for the key. Throws QuoteError
 * QE_REPORT_SIGNATURE_INVALID, ATTESTATION_KEY_NOT_BOUND, ATTESTATION_KEY_MALFORMED.
 */
export type AttestationKeyProver = (quote: Quote, pck: ProvenPck) => Promise<KeyObject>;

/** A platform has one attestation key for years, and one QE report about it, which all of its quotes carry. */
const MAX_KEYS = 4096;

/** Keeps the keys that it has proven by the hash of everything that the proof depends on. Only success is kept. */
export function createAttestationKeyProver(): AttestationKeyProver {
  const proven = new LRUCache<string, KeyObject>({ max: MAX_KEYS });
  return async (quote, pck) => {
    const id = idOf(quote, pck);
    const known = proven.get(id);
    if (known !== undefined) return known;
    await verifyQeReportSignature(quote, pck);
    requireAttestationKeyBound(quote);
    const key = importAttestationKey(quote);
    proven.set(id, key);
    return key;
  };
}

/** All parts but the last have a fixed length, so that no other parts have the same bytes in a row. */
function idOf({ signatureData }: Quote, { leaf }: ProvenPck): string {
  const { qeReport, qeReportSignature, attestationKey, authenticationData } = signatureData;
  const parts = [
    toUtf8(leaf.fingerprint),
    qeReport.bytes,
    qeReportSignature,
    attestationKey,
    authenticationData,
  ];
  return toHex(sha256(concatBytes(...parts)));
}

function importAttestationKey({ signatureData }: Quote): KeyObject {
  const key = importP256Key(signatureData.attestationKey);
  if (key !== undefined) return key;
  throw new QuoteError(
    'ATTESTATION_KEY_MALFORMED',
    'expected an attestation key that is a point of P-256, got none',
  );
}
