import { parseQuote, type Quote, type QuoteBody } from '../../intel-dcap/quote.ts';
import { TdxEvidenceError } from './tdx-evidence-error.ts';

/** A quote whose body is the report of a trust domain. */
export type TdQuote = Quote & { readonly body: Exclude<QuoteBody, { kind: 'sgx' }> };

/** Reads the bytes of a TD quote. Throws TdxEvidenceError TD_QUOTE_EXPECTED, and what `parseQuote` throws. */
export function parseTdQuote(bytes: Uint8Array): TdQuote {
  const quote = parseQuote(bytes);
  if (isTdQuote(quote)) return quote;
  throw new TdxEvidenceError(
    'TD_QUOTE_EXPECTED',
    `expected a TD quote (version 4 or 5), got an SGX quote (version ${quote.header.version})`,
  );
}

function isTdQuote(quote: Quote): quote is TdQuote {
  return quote.body.kind !== 'sgx';
}
