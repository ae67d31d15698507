import type { CollateralStore } from '../collateral/collateral.ts';
import type { Config } from '../config/load-config.ts';
import { createDcapCollateralSource } from '../intel-dcap/collateral-source.ts';
import type { FindDcapCollateral } from '../intel-dcap/dcap-collateral.ts';
import { createPcsClient } from '../intel-dcap/pcs-client.ts';
import { createQuoteVerifier } from '../intel-dcap/verify-quote.ts';
import { createAzSnpVtpmVerifier } from '../verifiers/az-snp-vtpm/az-snp-vtpm-verifier.ts';
import { createAzTdxVtpmVerifier } from '../verifiers/az-tdx-vtpm/az-tdx-vtpm-verifier.ts';
import { createVerifierRegistry, type VerifierRegistry } from '../verifiers/registry.ts';
import { sampleDeviceVerifier, sampleVerifier } from '../verifiers/sample/sample-verifier.ts';
import { createSgxVerifier } from '../verifiers/sgx/sgx-verifier.ts';
import { createSnpProver, type SnpProver } from '../verifiers/snp/snp-prover.ts';
import { snpVerifierWith } from '../verifiers/snp/snp-verifier.ts';
import { createTdQuoteProver } from '../verifiers/tdx/td-quote-prover.ts';
import { createTdxVerifier } from '../verifiers/tdx/tdx-verifier.ts';
import type { Activation } from '../verifiers/tpm/activation.ts';
import { replayPcrEventLog } from '../verifiers/tpm/pcr-event-log.ts';
import { createTpmVerifier } from '../verifiers/tpm/tpm-verifier.ts';
import { loadTpmTrust } from './tpm-trust.ts';
import { loadVendorRoots } from './vendor-roots.ts';

interface VerifierDependencies {
  readonly fetch: typeof globalThis.fetch;
  readonly tpmActivation: Activation | undefined;
  /** Hears of collateral that could not be fetched again ahead of its end. */
  readonly onRefreshFailure: (error: unknown) => void;
}

/** The verifiers that the configuration enables, with what each believes and where its collateral comes from. */
export async function createVerifiers(
  config: Config,
  store: CollateralStore,
  { fetch, tpmActivation, onRefreshFailure }: VerifierDependencies,
): Promise<VerifierRegistry> {
  const { verifiers, collateral } = config;
  const roots = await loadVendorRoots(verifiers.dangerously_replace_vendor_roots);
  const { kds_url: kdsUrl, allowed_vmpls: allowedVmpls } = verifiers.snp;
  const snp = createSnpProver({
    anchors: roots.amd,
    store,
    kds: kdsUrl === '' ? undefined : { baseUrl: kdsUrl, fetch },
    revocation: collateral.revocation,
    maxStaleSeconds: collateral.max_stale_seconds,
    allowedVmpls,
  });
  const verifyQuote = createQuoteVerifier({
    anchors: roots.intel,
    findCollateral: createIntelCollateralSource(config, store, fetch, onRefreshFailure),
    revocation: collateral.revocation,
    maxStaleSeconds: collateral.max_stale_seconds,
  });
  return createVerifierRegistry({
    ...(verifiers.tdx.enabled && { tdx: createTdxVerifier({ verifyQuote }) }),
    ...(verifiers.sgx.enabled && { sgx: createSgxVerifier({ verifyQuote }) }),
    ...(verifiers.az_tdx_vtpm.enabled && {
      'az-tdx-vtpm': createAzTdxVtpmVerifier({
        proveQuote: createTdQuoteProver(verifyQuote),
        minimumEvidenceVersion: verifiers.az_tdx_vtpm.minimum_evidence_version,
      }),
    }),
    ...(verifiers.snp.enabled && { snp: snpVerifierWith(snp) }),
    ...(verifiers.az_snp_vtpm.enabled && {
      'az-snp-vtpm': createAzSnpVtpmVerifier({
        proveReport: async (report, key, at) => await proveSnpReport(snp, report, key, at),
        minimumEvidenceVersion: verifiers.az_snp_vtpm.minimum_evidence_version,
      }),
    }),
    ...(verifiers.tpm.enabled && {
      tpm: createTpmVerifier({
        ...(await loadTpmTrust(verifiers.tpm, tpmActivation)),
        replayEventLog: replayPcrEventLog,
      }),
    }),
    ...(verifiers.dangerously_accept_sample_evidence && {
      sample: sampleVerifier,
      sampledevice: sampleDeviceVerifier,
    }),
  });
}

function createIntelCollateralSource(
  { collateral: { intel, revocation } }: Config,
  store: CollateralStore,
  fetch: typeof globalThis.fetch,
  onRefreshFailure: (error: unknown) => void,
): FindDcapCollateral {
  const { url: baseUrl, api_version: apiVersion, api_key: apiKey, evaluation_data: evaluation } = intel;
  const service = { baseUrl, apiVersion, evaluation, fetch, ...(apiKey !== undefined && { apiKey }) };
  const pcs = baseUrl === '' ? undefined : createPcsClient(service);
  return createDcapCollateralSource({ store, pcs, evaluation, revocation, onRefreshFailure });
}

/** What Azure's paravisor reports is proven as any other SNP report. */
async function proveSnpReport(
  prover: SnpProver,
  bytes: Uint8Array,
  endorsementKey: Uint8Array | undefined,
  at: Date,
): ReturnType<Parameters<typeof createAzSnpVtpmVerifier>[0]['proveReport']> {
  const supplied = endorsementKey && { endorsementKey, intermediate: undefined };
  const { report, claims } = await prover.prove(bytes, supplied, at);
  return { reportData: report.reportData, claims };
}
