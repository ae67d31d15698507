import { carries } from '../../bytes/byte-strings.ts';
import type { Claims } from '../../claims/claims.ts';
import { eventLogClaims } from '../../event-log/event-claims.ts';
import { parseEventLog } from '../../event-log/event-log.ts';
import { verifyReplay } from '../../event-log/replay.ts';
import type { VerifyQuote } from '../../intel-dcap/verify-quote.ts';
import type { Verifier } from '../verifier.ts';
import { readTdxEvidence } from './evidence.ts';
import { createTdQuoteProver, type ProvenTdQuote } from './td-quote-prover.ts';
import { TdxEvidenceError } from './tdx-evidence-error.ts';

export interface TdxVerifierOptions {
  /** Proves a quote against Intel's root and collateral. */
  readonly verifyQuote: VerifyQuote;
}

/** Proves Intel TDX quotes of version 4 and 5, with the event log that came along. */
export function createTdxVerifier({ verifyQuote }: TdxVerifierOptions): Verifier {
  const proveQuote = createTdQuoteProver(verifyQuote);
  return {
    async verify(evidence, expected, at) {
      const { quote, eventLog } = readTdxEvidence(evidence);
      const td = await proveQuote(quote, at);
      requireReportData(td, expected.reportData);
      requireConfigId(td, expected.initDataDigest);
      return [{ class: 'cpu', claims: { ...td.claims, ...proveEventLog(td, eventLog) } }];
    },
  };
}

function requireReportData({ reportData }: ProvenTdQuote, expected: Uint8Array | undefined): void {
  if (expected === undefined || carries(reportData, expected)) return;
  throw new TdxEvidenceError(
    'REPORT_DATA_MISMATCH',
    `expected the report to carry the ${expected.byteLength} bytes of this request, got others`,
  );
}

/**
 * The host puts the init data digest into MRCONFIGID when it creates the trust domain. The field holds 48 bytes; launchers
 * cut the longer digest of SHA-512, whose first 384 bits still identify the init data.
 */
function requireConfigId({ mrConfigId }: ProvenTdQuote, expected: Uint8Array | undefined): void {
  if (expected === undefined) return;
  const digest =
    expected.byteLength === SHA512_BYTES ? expected.subarray(0, mrConfigId.byteLength) : expected;
  if (carries(mrConfigId, digest)) return;
  throw new TdxEvidenceError(
    'INIT_DATA_MISMATCH',
    `expected MRCONFIGID to be the init data digest of this request (${expected.byteLength} bytes), got another`,
  );
}

const SHA512_BYTES = 64;

/**
 * A log that came along has to replay to the registers of the report, which have the indexes 1 to 4 in it. Without one the
 * report still holds the registers, but nothing says what was measured into them: `event_log_verified` tells.
 */
function proveEventLog({ rtmrs }: ProvenTdQuote, bytes: Uint8Array | undefined): Claims {
  if (bytes === undefined) return { event_log_verified: false };
  const log = parseEventLog(bytes);
  verifyReplay(log, 'sha384', new Map(rtmrs.map((value, index) => [index + 1, value])));
  return { event_log_verified: true, uefi_event_logs: eventLogClaims(log) };
}
