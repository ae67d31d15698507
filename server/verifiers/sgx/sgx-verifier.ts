import { carries } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import type { Claims } from '../../claims/claims.ts';
import type { EnclaveReport } from '../../intel-dcap/enclave-report.ts';
import type { Quote } from '../../intel-dcap/quote.ts';
import type { Verifier } from '../verifier.ts';
import { quoteClaims } from './claims.ts';
import { parseEnclaveQuote, requireEnclaveQuote } from './enclave-quote.ts';
import { readSgxEvidence } from './evidence.ts';
import { SgxEvidenceError } from './sgx-evidence-error.ts';

/** A quote that Intel vouches for, and what is known of the platform that signed it. */
interface VerifiedQuote {
  readonly quote: Quote;
  /** 16 bytes as the PCK certificate holds them. `undefined` for platforms that have none. */
  readonly platformInstanceId: Uint8Array | undefined;
  /** TCB status, dates, advisories and the rest, under the names that policies know. */
  readonly collateralClaims: Claims;
}

export interface SgxVerifierOptions {
  /**
   * Proves a quote of any kind and appraises its platform. Throws a CodedError when the quote is not genuine, a
   * CouldNotCheckError when that could not be found out.
   */
  readonly verifyQuote: (quote: Uint8Array, at: Date) => Promise<VerifiedQuote>;
}

/** Proves Intel SGX quotes of version 3. */
export function createSgxVerifier({ verifyQuote }: SgxVerifierOptions): Verifier {
  return {
    async verify(evidence, expected, at) {
      const bytes = readSgxEvidence(evidence);
      parseEnclaveQuote(bytes); // so that nobody asks Intel about a quote that is not of an enclave
      const { quote, platformInstanceId, collateralClaims } = await verifyQuote(bytes, at);
      const enclaveQuote = requireEnclaveQuote(quote);
      requireReportData(enclaveQuote.body.report, expected.reportData);
      requireConfigId(enclaveQuote.body.report, expected.initDataDigest);
      const claims = {
        ...collateralClaims,
        ...quoteClaims(enclaveQuote),
        ...(platformInstanceId !== undefined && {
          // Upstream shows it last byte first.
          platform_instance_id: toHex(platformInstanceId.toReversed()),
        }),
      };
      return [{ class: 'cpu', claims }];
    },
  };
}

function requireReportData({ reportData }: EnclaveReport, expected: Uint8Array | undefined): void {
  if (expected === undefined || carries(reportData, expected)) return;
  throw new SgxEvidenceError(
    'REPORT_DATA_MISMATCH',
    `expected the report to carry the ${expected.byteLength} bytes of this request, got others`,
  );
}

/** Whoever starts the enclave gives it the init data digest as its CONFIGID, which every digest fits. */
function requireConfigId({ configId }: EnclaveReport, expected: Uint8Array | undefined): void {
  if (expected === undefined || carries(configId, expected)) return;
  throw new SgxEvidenceError(
    'INIT_DATA_MISMATCH',
    `expected CONFIGID to be the init data digest of this request (${expected.byteLength} bytes), got another`,
  );
}
