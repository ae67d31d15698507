import { carries } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import type { EnclaveReport } from '../../intel-dcap/enclave-report.ts';
import type { VerifyQuote } from '../../intel-dcap/verify-quote.ts';
import type { Verifier } from '../verifier.ts';
import { quoteClaims } from './claims.ts';
import { parseEnclaveQuote } from './enclave-quote.ts';
import { readSgxEvidence } from './evidence.ts';
import { SgxEvidenceError } from './sgx-evidence-error.ts';

export interface SgxVerifierOptions {
  /** Proves a quote against Intel's root and collateral. */
  readonly verifyQuote: VerifyQuote;
}

/** Proves Intel SGX quotes of version 3. */
export function createSgxVerifier({ verifyQuote }: SgxVerifierOptions): Verifier {
  return {
    async verify(evidence, expected, at) {
      const quote = parseEnclaveQuote(readSgxEvidence(evidence));
      const platform = await verifyQuote(quote, at);
      requireReportData(quote.body.report, expected.reportData);
      requireConfigId(quote.body.report, expected.initDataDigest);
      const { platformInstanceId } = platform;
      const claims = {
        ...platform.claims,
        ...quoteClaims(quote),
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
