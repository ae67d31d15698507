import { type KeyObject, verify } from 'node:crypto';
import { ecdsaSignatureToDer } from '../../bytes/ecdsa-signature.ts';
import { toHex } from '../../bytes/encoding.ts';
import type { SnpReport } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';

/**
 * SIGNATURE_ALGO (AMD 56860 rev. 1.58, Algorithm Encodings). An algorithm that is not in this table, or whose curve is not
 * the key's, is refused before any cryptography runs.
 */
const ALGORITHMS = new Map([
  [
    1,
    {
      curve: 'secp384r1',
      hash: 'sha384',
      scalarBytes: 48,
      // SEC 2, secp384r1: the order of the base point.
      order: BigInt(
        '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
      ),
    },
  ],
]);
type Algorithm = NonNullable<ReturnType<typeof ALGORITHMS.get>>;

/**
 * Checks that the endorsement key signed the report. Runs on the thread pool, since this is most of the work of a request.
 * Throws SnpEvidenceError SIGNATURE_ALGORITHM_UNSUPPORTED, SIGNATURE_MALFORMED, SIGNATURE_INVALID.
 */
export async function verifyReportSignature(report: SnpReport, endorsementKey: KeyObject): Promise<void> {
  const algorithm = ALGORITHMS.get(report.signatureAlgorithm);
  const curve = endorsementKey.asymmetricKeyDetails?.namedCurve;
  if (algorithm === undefined || curve !== algorithm.curve) {
    throw new SnpEvidenceError(
      'SIGNATURE_ALGORITHM_UNSUPPORTED',
      `expected ECDSA P-384 with SHA-384 (1), got algorithm ${report.signatureAlgorithm} and a key on ${curve ?? 'no curve'}`,
    );
  }
  const signature = toBigEndian(report.signature, algorithm);
  if (!(await verifyOnThreadPool(algorithm.hash, report.signedBytes, endorsementKey, signature))) {
    throw new SnpEvidenceError(
      'SIGNATURE_INVALID',
      'expected the report to be signed by its endorsement key, got another signature',
    );
  }
}

/** r ‖ s, big-endian (IEEE P1363). AMD writes both little-endian into 72 bytes each, the rest zero. */
function toBigEndian({ r, s }: SnpReport['signature'], algorithm: Algorithm): Uint8Array {
  const signature = new Uint8Array(2 * algorithm.scalarBytes);
  signature.set(scalar(r, algorithm), 0);
  signature.set(scalar(s, algorithm), algorithm.scalarBytes);
  return signature;
}

function scalar(field: Uint8Array, { scalarBytes, order }: Algorithm): Uint8Array {
  const bigEndian = field.slice(0, scalarBytes).reverse();
  const value = BigInt(`0x${toHex(bigEndian)}`);
  const isPadded = field.subarray(scalarBytes).every((byte) => byte === 0);
  if (!isPadded || value === 0n || value >= order) {
    throw new SnpEvidenceError(
      'SIGNATURE_MALFORMED',
      'expected r and s of the signature between 1 and the order of P-384, padded with zeros',
    );
  }
  return bigEndian;
}

async function verifyOnThreadPool(
  hash: string,
  data: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    verify(hash, data, key, ecdsaSignatureToDer(signature), (error, isValid) => {
      if (error === null) resolve(isValid);
      else reject(error);
    });
  });
}
