import { QuoteVerifier } from '@phala/dcap-qvl';
import { fromUtf8 } from '../../server/bytes/encoding.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { CouldNotCheckError } from '../../server/errors/could-not-check-error.ts';
import type { IntelAnchors } from '../../server/intel-dcap/anchors.ts';
import type { FreshnessOptions } from '../../server/intel-dcap/collateral-dates.ts';
import type { DcapCollateral, SignedDocument } from '../../server/intel-dcap/dcap-collateral.ts';
import { parseQuote } from '../../server/intel-dcap/quote.ts';
import { createQuoteVerifier } from '../../server/intel-dcap/verify-quote.ts';
import { rawMembers } from '../../server/json/raw-json.ts';
import { pemOf } from '../fakes/fake-intel.ts';

/** A quote and what Intel signed about its platform, at a time. */
export interface QuoteQuestion {
  readonly quote: Uint8Array;
  readonly collateral: DcapCollateral;
  readonly at: Date;
}

/** What is said of it. `why` is a code of ours, or a message of theirs. */
export type QuoteJudgement =
  | { readonly kind: 'genuine'; readonly tcbStatus: string; readonly advisoryIds: readonly string[] }
  | { readonly kind: 'refused' | 'could-not-check'; readonly why: string };

/**
 * The judgement of @phala/dcap-qvl, the JavaScript port of a verifier written by others from the same specifications.
 * `rootDer` stands in for Intel's root. It tells apart neither what it could not check from what is not genuine, nor its own
 * failures from either.
 */
export function judgeByDcapQvl(
  { quote, collateral, at }: QuoteQuestion,
  rootDer: Uint8Array | undefined,
): QuoteJudgement {
  const verifier =
    rootDer === undefined ? QuoteVerifier.newProd() : QuoteVerifier.newWithRootCa(Buffer.from(rootDer));
  try {
    const report = verifier.verify(quote, inItsForm(collateral), at.getTime() / 1000);
    return { kind: 'genuine', tcbStatus: report.status, advisoryIds: report.advisory_ids };
  } catch (error) {
    return { kind: 'refused', why: error instanceof Error ? error.message : String(error) };
  }
}

/** Our own judgement of the bare quote. */
export async function judgeByUs(
  { quote, collateral, at }: QuoteQuestion,
  options: FreshnessOptions & { readonly anchors: IntelAnchors },
): Promise<QuoteJudgement> {
  const verify = createQuoteVerifier({ ...options, findCollateral: async () => collateral });
  try {
    const { claims } = await verify(parseQuote(quote), at);
    return {
      kind: 'genuine',
      tcbStatus: claims['tcb_status'] as string,
      advisoryIds: claims['advisory_ids'] as readonly string[],
    };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const kind = error instanceof CouldNotCheckError ? 'could-not-check' : 'refused';
    return { kind, why: String(error.code) };
  }
}

type DcapQvlCollateral = Parameters<QuoteVerifier['verify']>[1];

/** It passes over a list that it cannot read, so that an empty one is none. */
function inItsForm({ tcbInfo, qeIdentity, pckCrl, rootCrl }: DcapCollateral): DcapQvlCollateral {
  const info = signedTextOf(tcbInfo, 'tcbInfo');
  const identity = signedTextOf(qeIdentity, 'enclaveIdentity');
  return {
    pck_crl_issuer_chain: pemOf(pckCrl?.issuerChain ?? []),
    pck_crl: [...(pckCrl?.der ?? [])],
    root_ca_crl: [...(rootCrl ?? [])],
    tcb_info_issuer_chain: pemOf(tcbInfo.issuerChain),
    tcb_info: info.text,
    tcb_info_signature: info.signature,
    qe_identity_issuer_chain: pemOf(qeIdentity.issuerChain),
    qe_identity: identity.text,
    qe_identity_signature: identity.signature,
  };
}

function signedTextOf(
  { body }: SignedDocument,
  member: string,
): { readonly text: string; readonly signature: string } {
  const members = rawMembers(fromUtf8(body));
  return { text: members.get(member) ?? '', signature: (members.get('signature') ?? '').slice(1, -1) };
}
