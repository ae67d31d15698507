import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBase64, fromUtf8 } from '../../server/bytes/encoding.ts';
import type { Json } from '../../server/claims/claims.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { intelAnchors, intelAnchorsFromCertificates } from '../../server/intel-dcap/anchors.ts';
import { authorityNamed } from '../../server/intel-dcap/authorities.ts';
import { classifyIntelCollateral } from '../../server/intel-dcap/collateral-keys.ts';
import { createDcapCollateralSource } from '../../server/intel-dcap/collateral-source.ts';
import type { PlatformQuery } from '../../server/intel-dcap/dcap-collateral.ts';
import { withoutSuperseded } from '../../server/intel-dcap/keep-newest.ts';
import { readPckExtension } from '../../server/intel-dcap/pck-certificate.ts';
import { parseQuote } from '../../server/intel-dcap/quote.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { readAzTdxEvidence } from '../../server/verifiers/az-tdx-vtpm/evidence.ts';
import { parseCertificate, parseCertificateBundle } from '../../server/x509/certificate.ts';
import type { VerifiedCertificate } from '../../server/x509/chain.ts';
import { splitPem } from '../../server/x509/pem.ts';
import { createMemoryCollateral } from '../fakes/snp-memory-collateral.ts';
import { judgeByDcapQvl, judgeByUs, type QuoteJudgement, type QuoteQuestion } from '../harness/dcap-qvl.ts';
import { compareJudgements } from '../harness/dcap-qvl-differences.ts';
import type { AttestationCase } from './cases.ts';

/** What another verifier of Intel quotes says to the same: for the case's line, or as problems. */
export interface SecondOpinion {
  readonly remark: string;
  readonly problems: readonly string[];
}

/** Where the quote is in the evidence of a TEE. */
const QUOTE_IN: ReadonlyMap<string, (evidence: unknown) => Uint8Array> = new Map([
  ['tdx', bareQuote],
  ['sgx', bareQuote],
  ['az-tdx-vtpm', (evidence) => readAzTdxEvidence(evidence).tdQuote],
]);

/**
 * Asks @phala/dcap-qvl about the quote of a case: the same collateral, time and root. `claims` are those of our token; without one
 * the bare quote is judged again, since what was refused may be something else of the evidence. `undefined` where there is no
 * quote, or no collateral for its platform.
 */
export async function secondOpinion(
  one: AttestationCase,
  folder: string,
  claims: Readonly<Record<string, Json>> | undefined,
): Promise<SecondOpinion | undefined> {
  const question = await questionOf(one, folder);
  if (question === undefined) return undefined;
  const roots = (one.trust_anchors ?? []).flatMap((name) =>
    parseCertificateBundle(readFileSync(join(folder, name), 'utf8')).filter(isIntelRoot),
  );
  const ours =
    claims === undefined
      ? await judgeByUs(question, {
          anchors: roots.length === 0 ? intelAnchors() : intelAnchorsFromCertificates(roots),
          revocation: one.settings.revocation,
          maxStaleSeconds: one.settings.max_stale,
        })
      : judgementOf(claims);
  const comparison = compareJudgements(question, ours, judgeByDcapQvl(question, roots[0]?.der));
  switch (comparison.kind) {
    case 'same':
      return { remark: 'dcap-qvl agrees', problems: [] };
    case 'explained':
      return { remark: `dcap-qvl differs by ${comparison.difference}`, problems: [] };
    case 'unexplained':
      return { remark: '', problems: [comparison.text] };
  }
}

async function questionOf(one: AttestationCase, folder: string): Promise<QuoteQuestion | undefined> {
  const read = QUOTE_IN.get(one.tee);
  if (read === undefined) return undefined;
  const at = new Date(one.at);
  const store = createMemoryCollateral();
  const rows = one.collateral.flatMap((name) => classifyIntelCollateral(readFileSync(join(folder, name))));
  for (const row of await withoutSuperseded(rows, store, at)) await store.put(row);
  const find = createDcapCollateralSource({
    store,
    pcs: undefined,
    evaluation: 'standard',
    revocation: 'when-available',
  });
  try {
    const quote = read(parseJson(readFileSync(join(folder, one.evidence), 'utf8')));
    return { quote, collateral: await find(platformOf(one, quote), at), at };
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function bareQuote(evidence: unknown): Uint8Array {
  return fromBase64((evidence as { readonly quote: string }).quote);
}

/** What the quote says about its platform, unproven: enough to find what is there about it. */
function platformOf({ tee }: AttestationCase, bytes: Uint8Array): PlatformQuery {
  const [leaf, intermediate] = splitPem(fromUtf8(parseQuote(bytes).signatureData.pckChain)).map((der) =>
    parseCertificate(der),
  );
  const ca = authorityNamed(intermediate?.commonName) === 'processor' ? 'processor' : 'platform';
  const { fmspc } = readPckExtension(leaf as VerifiedCertificate, ca);
  return { tee: tee === 'sgx' ? 'sgx' : 'tdx', fmspc, ca };
}

function judgementOf(claims: Readonly<Record<string, Json>>): QuoteJudgement {
  return {
    kind: 'genuine',
    tcbStatus: claims['tcb_status'] as string,
    advisoryIds: claims['advisory_ids'] as readonly string[],
  };
}

function isIntelRoot({ commonName }: { readonly commonName: string | undefined }): boolean {
  return authorityNamed(commonName) === 'root';
}
