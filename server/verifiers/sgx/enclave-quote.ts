import { parseQuote, type Quote, type QuoteBody } from '../../intel-dcap/quote.ts';
import { SgxEvidenceError } from './sgx-evidence-error.ts';

/** A quote whose body is the report of an enclave. */
export type EnclaveQuote = Quote & { readonly body: Extract<QuoteBody, { kind: 'sgx' }> };

/** Reads the bytes of an enclave's quote. Throws SgxEvidenceError SGX_QUOTE_EXPECTED, and what `parseQuote` throws. */
export function parseEnclaveQuote(bytes: Uint8Array): EnclaveQuote {
  const quote = parseQuote(bytes);
  if (isEnclaveQuote(quote)) return quote;
  throw new SgxEvidenceError(
    'SGX_QUOTE_EXPECTED',
    `expected an SGX quote (version 3), got a TD quote (version ${quote.header.version})`,
  );
}

function isEnclaveQuote(quote: Quote): quote is EnclaveQuote {
  return quote.body.kind === 'sgx';
}
