import type { Json } from '../../server/claims/claims.ts';
import { CodedError } from '../../server/errors/coded-error.ts';

export type EvidenceErrorCode = 'REPORT_DATA_TOO_LONG' | 'EVIDENCE_UNAVAILABLE';

/** The TEE gave no evidence. Each attester may have codes of its own beside these. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {}

/**
 * A member of an evidence document: JSON, and integers beyond 2^53 as bigint, because evidence is signed over their
 * exact values.
 */
export type EvidenceValue = Json | bigint | readonly EvidenceValue[] | EvidenceDocument;
export interface EvidenceDocument {
  readonly [member: string]: EvidenceValue;
}

/** One TEE or device that can prove what it is. */
export interface EvidenceSource {
  /** Its name on the wire: `snp`, `tdx`, `sample`, … */
  readonly tee: string;
  /**
   * Bytes of the field that carries report data; shorter data is padded with zeros, as every verifier expects it.
   * `exact`: the source takes data of any length, and verifiers compare all of it.
   */
  readonly reportDataBytes: number | 'exact';
  /** Evidence for exactly these bytes. Its members are those of upstream's attester of the same name. */
  evidence(reportData: Uint8Array): Promise<EvidenceDocument>;
}

/** What a guest can prove: the TEE that it runs in, and the devices that it was given. */
export interface EvidenceProvider extends EvidenceSource {
  /** Each TEE name at most once: a kind of device answers for all of its kind. */
  readonly devices: readonly EvidenceSource[];
}

/**
 * Evidence for report data that is brought to the length of the source's field. Longer data is refused: cut, it would
 * bind less than the caller asked for. Throws EvidenceError REPORT_DATA_TOO_LONG.
 */
export async function evidenceFor(source: EvidenceSource, reportData: Uint8Array): Promise<EvidenceDocument> {
  const { reportDataBytes, tee } = source;
  if (reportDataBytes === 'exact') return await source.evidence(reportData);
  if (reportData.byteLength > reportDataBytes) {
    throw new EvidenceError(
      'REPORT_DATA_TOO_LONG',
      `expected at most ${reportDataBytes} bytes of report data for ${tee}, got ${reportData.byteLength}`,
    );
  }
  const padded = new Uint8Array(reportDataBytes);
  padded.set(reportData);
  return await source.evidence(padded);
}
