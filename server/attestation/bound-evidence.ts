import { sha256 } from '../bytes/byte-strings.ts';
import { fromBase64Url, fromUtf8, toHex } from '../bytes/encoding.ts';
import type { Json } from '../claims/claims.ts';
import { isTee, type Tee } from '../evidence/tee.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';
import type { VerifierRegistry } from '../verifiers/registry.ts';
import type { ExpectedBinding, Verifier } from '../verifiers/verifier.ts';
import type { VerificationRequest } from './attestation-request.ts';
import { bindInitData } from './init-data.ts';
import { AttestationRequestError } from './request-error.ts';
import { type BoundRuntimeData, bindRuntimeData } from './runtime-data.ts';

/** Characters of base64url. Evidence with certificates and event logs stays far below. */
const MAX_EVIDENCE_TEXT = 1_400_000;

/** Evidence of one TEE, read but not believed, with what it has to be bound to and who verifies it. */
export interface BoundEvidence {
  readonly tee: Tee;
  readonly verifier: Verifier;
  readonly isSimulated: boolean;
  readonly evidence: unknown;
  /** SHA-256 (hex) of the evidence document's bytes. */
  readonly sha256: string;
  readonly expected: ExpectedBinding;
  readonly runtimeData: BoundRuntimeData;
  readonly initDataClaims: Json;
}

/** Reads one verification request. Earns no trust. Throws MalformedError, AttestationRequestError. */
export function parseBoundEvidence(request: VerificationRequest, verifiers: VerifierRegistry): BoundEvidence {
  const { tee, verifier } = findVerifier(request.tee, verifiers);
  if (request.evidence.length > MAX_EVIDENCE_TEXT) {
    throw new AttestationRequestError(
      'EVIDENCE_TOO_LARGE',
      `expected at most ${MAX_EVIDENCE_TEXT} characters of ${tee} evidence, got ${request.evidence.length}`,
    );
  }
  const bytes = fromBase64Url(request.evidence);
  const runtimeData = bindRuntimeData(request.runtime_data, request.runtime_data_hash_algorithm);
  const initData = bindInitData(request.init_data);
  return {
    tee,
    verifier,
    isSimulated: verifiers.isSimulated(tee),
    evidence: parseJsonWithBigInts(fromUtf8(bytes)),
    sha256: toHex(sha256(bytes)),
    expected: {
      reportData: runtimeData.reportData,
      initDataDigest: initData.digest,
      nonce: runtimeData.nonce,
    },
    runtimeData,
    initDataClaims: initData.claims,
  };
}

function findVerifier(name: string, verifiers: VerifierRegistry): { tee: Tee; verifier: Verifier } {
  if (!isTee(name)) {
    throw new AttestationRequestError(
      'TEE_UNKNOWN',
      `expected the name of a TEE, got '${name.slice(0, 64)}'`,
    );
  }
  const verifier = verifiers.find(name);
  if (verifier === undefined) {
    throw new AttestationRequestError(
      'TEE_NOT_ENABLED',
      `expected evidence of ${verifiers.enabled().join(', ')}, got '${name}', which this server does not accept`,
    );
  }
  return { tee: name, verifier };
}
