import { MalformedError } from '../errors/malformed-error.ts';
import { createPoliteGet, type Patience } from '../vendor-service/polite-get.ts';
import { authorityNamed, type IntelAuthority } from './authorities.ts';
import type { IssuedRevocationList, PlatformQuery, SignedDocument } from './dcap-collateral.ts';
import { chainOfText } from './issuer-chain.ts';
import { readAnyRevocationList } from './revocation-list-form.ts';
import { type DocumentFacts, factsOf, MAX_DOCUMENT_BYTES } from './signed-document.ts';

/**
 * Which of Intel's judgements about TCBs is asked for: the one of today, the one that everybody has had time to follow, or
 * the one with this tcbEvaluationDataNumber.
 */
export type Evaluation = 'early' | 'standard' | number;

/** Intel's provisioning certification service (PCS), or a caching service (PCCS) that answers the same paths. */
export interface PcsOptions extends Patience {
  /** `https://api.trustedservices.intel.com`, or where a PCCS listens; what follows `/sgx/` or `/tdx/` is ignored. */
  readonly baseUrl: string;
  readonly apiVersion: 3 | 4;
  readonly evaluation: Evaluation;
  readonly apiKey?: string | undefined;
}

/** What comes is what was asked for by its own words, and unverified. The caller shares one flight a key. */
export interface PcsClient {
  /** `fmspc`: twelve upper-case hex digits. */
  fetchTcbInfo(tee: PlatformQuery['tee'], fmspc: string, at: Date): Promise<SignedDocument>;
  fetchQeIdentity(tee: PlatformQuery['tee'], at: Date): Promise<SignedDocument>;
  fetchPckRevocationList(ca: PlatformQuery['ca'], at: Date): Promise<IssuedRevocationList>;
  /** DER */
  fetchRootRevocationList(at: Date): Promise<Uint8Array>;
}

type Query = Readonly<Record<string, string>>;

const INTEL_HOST = 'api.trustedservices.intel.com';
const INTEL_ROOT_LIST = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der';
const SERVICE_PATH = /\/(?:sgx|tdx)\/certification(?:\/.*)?$/;
const MAX_LIST_BYTES = 3 << 20;
const TCB_INFO_CHAINS = ['TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain'];
const IDENTITY_CHAINS = ['SGX-Enclave-Identity-Issuer-Chain'];
const PCK_LIST_CHAINS = ['SGX-PCK-CRL-Issuer-Chain'];

/**
 * A client of Intel's API (API reference of the provisioning certification service, versions 3 and 4).
 * Every failure is CouldNotCheckError COLLATERAL_UNAVAILABLE or OVERLOADED.
 */
export function createPcsClient(options: PcsOptions): PcsClient {
  const { evaluation } = options;
  const base = baseOf(options.baseUrl);
  const isIntel = base.hostname === INTEL_HOST;
  const get = createPoliteGet(isIntel ? "Intel's service" : 'the collateral caching service', options);
  const headers = headersWith(options.apiKey);
  const selection: Query =
    typeof evaluation === 'number' ? { tcbEvaluationDataNumber: `${evaluation}` } : { update: evaluation };
  const urlOf = (tee: PlatformQuery['tee'], path: string, query: Query = {}): URL => {
    const url = new URL(`${tee}/certification/v${options.apiVersion}/${path}`, base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  };

  return {
    async fetchTcbInfo(tee, fmspc, at) {
      const url = urlOf(tee, 'tcb', { fmspc, ...selection });
      const what = `the TCB info for ${tee.toUpperCase()} of FMSPC ${fmspc}`;
      const read = documentReader(TCB_INFO_CHAINS, evaluation, (facts) => isTcbInfo(facts, tee, fmspc));
      return await get({ url, headers, what, read, maxBytes: MAX_DOCUMENT_BYTES }, at);
    },
    async fetchQeIdentity(tee, at) {
      const url = urlOf(tee, 'qe/identity', selection);
      const what = `the identity of the quoting enclave for ${tee.toUpperCase()}`;
      const read = documentReader(IDENTITY_CHAINS, evaluation, (facts) => isIdentity(facts, tee));
      return await get({ url, headers, what, read, maxBytes: MAX_DOCUMENT_BYTES }, at);
    },
    async fetchPckRevocationList(ca, at) {
      const url = urlOf('sgx', 'pckcrl', { ca, encoding: 'der' });
      const what = `the revocation list of the PCK ${ca} CA`;
      const read = (body: Uint8Array, answered: Headers): IssuedRevocationList => ({
        der: readList(body, ca),
        issuerChain: chainOf(answered, PCK_LIST_CHAINS),
      });
      return await get({ url, headers, what, read, maxBytes: MAX_LIST_BYTES }, at);
    },
    async fetchRootRevocationList(at) {
      const where = isIntel
        ? // Another host, which the key is not for.
          { url: new URL(INTEL_ROOT_LIST), headers: headersWith(undefined) }
        : { url: urlOf('sgx', 'rootcacrl'), headers };
      const what = "the revocation list of Intel's root";
      const read = (body: Uint8Array): Uint8Array => readList(body, 'root');
      return await get({ ...where, what, read, maxBytes: MAX_LIST_BYTES }, at);
    },
  };
}

/** Scheme, host and port, and the path before Intel's own, which a proxy may need. */
function baseOf(configured: string): URL {
  const url = new URL(configured);
  const prefix = url.pathname.replace(SERVICE_PATH, '');
  return new URL(prefix.endsWith('/') ? prefix : `${prefix}/`, url.origin);
}

function headersWith(apiKey: string | undefined): Readonly<Record<string, string>> {
  return { accept: '*/*', ...(apiKey !== undefined && { 'Ocp-Apim-Subscription-Key': apiKey }) };
}

function documentReader(
  chains: readonly string[],
  evaluation: Evaluation,
  isWhatWasAsked: (facts: DocumentFacts) => boolean,
): (body: Uint8Array, headers: Headers) => SignedDocument {
  return (body, headers) => {
    const facts = factsOf(body);
    if (facts === undefined) {
      throw malformed(`a document that Intel signed, got ${body.byteLength} bytes that are none`);
    }
    if (!isWhatWasAsked(facts)) throw malformed('the document that was asked for, got another');
    if (typeof evaluation === 'number' && facts.evaluation !== evaluation) {
      throw malformed(`tcbEvaluationDataNumber ${evaluation}, got ${facts.evaluation}`);
    }
    return { body, issuerChain: chainOf(headers, chains) };
  };
}

/** The list itself must be of whom it was asked for: a cache that mixes them up would hide revocations. */
function readList(body: Uint8Array, authority: IntelAuthority): Uint8Array {
  const list = readAnyRevocationList(body);
  const issuer = authorityNamed(list.issuerCommonName);
  if (issuer !== authority)
    throw malformed(`a list of '${authority}', got one of '${issuer ?? 'somebody else'}'`);
  return list.der;
}

function isTcbInfo(facts: DocumentFacts, tee: PlatformQuery['tee'], fmspc: string): boolean {
  return facts.type === 'tcb-info' && facts.tee === tee && facts.fmspc === fmspc;
}

function isIdentity(facts: DocumentFacts, tee: PlatformQuery['tee']): boolean {
  return facts.type === 'qe-identity' && facts.tee === tee;
}

/** URL-encoded PEM in a header; empty where the service sends none, as some caching services do. */
function chainOf(headers: Headers, names: readonly string[]): readonly Uint8Array[] {
  return chainOfText(names.map((name) => headers.get(name)).find((value) => value !== null) ?? '');
}

function malformed(expected: string): MalformedError {
  return new MalformedError('ENCODING_MALFORMED', `expected ${expected}`);
}
