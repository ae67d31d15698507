import type { Json } from '../../server/claims/claims.ts';
import type { FakeAmd } from '../fakes/fake-amd.ts';
import type { FakeAzure, FakeAzureOptions, FakeAzureSnpOptions } from '../fakes/fake-azure.ts';
import type { FakeQuoteOptions } from '../fakes/fake-intel.ts';
import type { FakeIntelSite } from '../fakes/fake-intel-site.ts';
import { bindingDigest, type EvidenceSource } from './guest.ts';

/** What the default CPU policy compares in the quotes of a fake Intel's machines, so that they are affirmed. */
export const TDX_REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['mr_td', ['7d'.repeat(48)]],
  ['rtmr_1', ['b1'.repeat(48)]],
  ['rtmr_2', ['b2'.repeat(48)]],
  ['xfam', ['e700000000000000']],
];
export const SGX_REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['sgx_mr_enclave', ['ae'.repeat(32)]],
  ['sgx_attribute_flags', ['0500000000000000']],
];

export interface TdxSourceOptions extends FakeQuoteOptions {
  readonly eventLog?: Uint8Array;
}

/** Quotes of a trust domain. */
export function tdxSource(
  site: FakeIntelSite,
  { eventLog, ...options }: TdxSourceOptions = {},
): EvidenceSource {
  return {
    tee: 'tdx',
    evidence: async (runtimeData) => {
      const td = { reportData: bindingDigest(runtimeData), ...options.td };
      return {
        quote: base64(await site.tdQuote({ ...options, td })),
        ...(eventLog !== undefined && { cc_eventlog: base64(eventLog) }),
      };
    },
  };
}

/** Quotes of an enclave. */
export function sgxSource(site: FakeIntelSite, options: FakeQuoteOptions = {}): EvidenceSource {
  return {
    tee: 'sgx',
    evidence: async (runtimeData) => {
      const enclave = { reportData: bindingDigest(runtimeData), ...options.enclave };
      return { quote: base64(await site.enclaveQuote({ ...options, enclave })) };
    },
  };
}

/** Evidence of an Azure machine on the fake AMD. */
export function azSnpSource(
  azure: FakeAzure,
  amd: FakeAmd,
  options: FakeAzureSnpOptions = {},
): EvidenceSource {
  return {
    tee: 'az-snp-vtpm',
    evidence: async (runtimeData) =>
      await azure.snpEvidence(amd, { reportData: bindingDigest(runtimeData), ...options }),
  };
}

/** Evidence of an Azure machine on the fake Intel. */
export function azTdxSource(
  azure: FakeAzure,
  site: FakeIntelSite,
  options: FakeAzureOptions & { readonly td?: FakeQuoteOptions['td'] } = {},
): EvidenceSource {
  return {
    tee: 'az-tdx-vtpm',
    evidence: async (runtimeData) =>
      await azure.tdxEvidence({
        reportData: bindingDigest(runtimeData),
        ...options,
        tdQuote: async (reportData) => await site.tdQuote({ td: { ...options.td, reportData } }),
      }),
  };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
