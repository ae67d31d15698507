/** `npm run conformance -- --vectors DIR [--only TEXT]`: every case of DIR/CASES.json through the whole system. */
import { parseArgs } from 'node:util';
import type { CaseResult } from './case-result.ts';
import {
  type ConformanceCase,
  isAttestationCase,
  isEndorsementCase,
  isEventLogCase,
  loadCases,
} from './cases.ts';
import { runAttestationCase, runEndorsementCase } from './run-case.ts';
import { runEventLogCase } from './run-event-log-case.ts';
import { type ServeAt, withServers } from './serve-at.ts';

const USAGE = 'usage: npm run conformance -- --vectors DIR [--only TEXT]';
/** The TEEs whose verifiers there are; cases of others are skipped, by name. */
const KNOWN_TEES: ReadonlySet<string> = new Set([
  'snp',
  'sample',
  'sampledevice',
  'tdx',
  'sgx',
  'az-snp-vtpm',
  'az-tdx-vtpm',
  'tpm',
]);

const { values } = parseArgs({ options: { vectors: { type: 'string' }, only: { type: 'string' } } });
const folder = values.vectors;
if (folder === undefined) {
  console.error(USAGE);
  process.exit(2);
}

const cases = loadCases(folder).filter(({ id }) => id.includes(values.only ?? ''));
const counts = { passed: 0, failed: 0, skipped: 0 };
await withServers(async (serveAt) => {
  for (const one of cases) {
    const result = await run(one, folder, serveAt);
    if (result === undefined) {
      counts.skipped += 1;
      console.log(`skipped  ${one.id}: ${kindOf(one)} is not known yet`);
    } else if (result.problems.length > 0) {
      counts.failed += 1;
      console.log(`FAILED   ${one.id}: ${result.problems.join('; ')}`);
    } else {
      counts.passed += 1;
      console.log(
        `passed   ${one.id}: ${result.verdict}${result.remark === '' ? '' : ` (${result.remark})`}`,
      );
    }
  }
});
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 && cases.length > 0 ? 0 : 1;

/** Undefined when the system does not know this kind. */
async function run(one: ConformanceCase, vectors: string, serveAt: ServeAt): Promise<CaseResult | undefined> {
  try {
    if (isEndorsementCase(one)) return await runEndorsementCase(one, vectors);
    if (isEventLogCase(one)) return runEventLogCase(one, vectors);
    if (isAttestationCase(one) && KNOWN_TEES.has(one.tee))
      return await runAttestationCase(one, vectors, serveAt);
    return undefined;
  } catch (error) {
    return {
      verdict: 'failed',
      remark: '',
      problems: [error instanceof Error ? error.message : String(error)],
    };
  }
}

function kindOf(one: ConformanceCase): string {
  return isAttestationCase(one) ? one.tee : one.kind;
}
