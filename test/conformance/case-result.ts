import type { Verdict } from './cases.ts';

/** What came of a case: `problems` is empty when it went as it should. */
export interface CaseResult {
  readonly verdict: Verdict | 'failed';
  /** The code of a refusal, or what else there is to say. */
  readonly remark: string;
  readonly problems: readonly string[];
}

export function unexpected(expected: readonly Verdict[], verdict: Verdict): readonly string[] {
  return expected.includes(verdict) ? [] : [`expected ${expected.join(' or ')}, got ${verdict}`];
}
