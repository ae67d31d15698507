import type { Claims } from '../../server/claims/claims.ts';
import { createQuoteProver } from '../../server/intel-dcap/quote-proof.ts';
import type { VerifyQuote } from '../../server/intel-dcap/verify-quote.ts';
import type { FakeIntel } from './fake-intel.ts';

export const COLLATERAL_CLAIMS: Claims = {
  tcb_status: 'UpToDate',
  collateral_expiration_status: '0',
  advisory_ids: [],
  tcb_eval_num: 17,
};

/** Quotes are really proven; what collateral says about their platforms is always the same. */
export function fakeQuoteVerification(intel: FakeIntel): VerifyQuote {
  const prove = createQuoteProver({ anchors: intel.anchors });
  return async (quote, at) => {
    const { pck } = await prove(quote, at);
    return { platformInstanceId: pck.extension.platformInstanceId, claims: COLLATERAL_CLAIMS };
  };
}
