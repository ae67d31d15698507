import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Json } from '../../server/claims/claims.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { endorsedHeaderKeys } from '../../server/token/jwk-endorsement.ts';
import { parseCertificateBundle } from '../../server/x509/certificate.ts';
import { type CaseResult, unexpected } from './case-result.ts';
import type { AttestationCase, EndorsementCase } from './cases.ts';
import { compareClaims } from './compare-claims.ts';
import { secondOpinion } from './second-opinion.ts';
import type { ServeAt } from './serve-at.ts';

/** Sends the evidence through a listening server at the case's time, with its collateral imported and nothing fetched. */
export async function runAttestationCase(
  one: AttestationCase,
  folder: string,
  serveAt: ServeAt,
): Promise<CaseResult> {
  const file = (name: string): string => join(folder, name);
  const server = await serveAt({
    at: new Date(one.at),
    revocation: one.settings.revocation,
    maxStaleSeconds: one.settings.max_stale,
    trustedAks: one.settings.trusted_aks,
    roots: (one.trust_anchors ?? []).map(file),
  });
  try {
    await server.importCollateral(one.collateral.map((name) => ({ name, bytes: readFileSync(file(name)) })));
    const reply = await server.post('/attestation', {
      verification_requests: [
        {
          tee: one.tee,
          evidence: readFileSync(file(one.evidence)).toString('base64url'),
          ...(one.runtime_data_raw !== undefined && {
            runtime_data: { raw: Buffer.from(one.runtime_data_raw, 'hex').toString('base64url') },
          }),
        },
      ],
      policy_ids: [],
    });
    return await withSecondOpinion(judge(one, reply.status, reply.text), one, folder, reply);
  } finally {
    await server.close();
  }
}

/** Whatever we make of a quote of Intel's, another verifier has to make of it too. */
async function withSecondOpinion(
  result: CaseResult,
  one: AttestationCase,
  folder: string,
  { status, text }: { readonly status: number; readonly text: string },
): Promise<CaseResult> {
  const claims = status === 200 ? annotatedEvidence(text)[one.tee] : undefined;
  const opinion = await secondOpinion(one, folder, claims as Readonly<Record<string, Json>> | undefined);
  if (opinion === undefined) return result;
  return {
    ...result,
    remark: `${result.remark}, ${opinion.remark}`,
    problems: [...result.problems, ...opinion.problems],
  };
}

/** The evidence was not looked at. */
const NOT_A_VERDICT: ReadonlySet<string> = new Set(['TEE_UNKNOWN', 'TEE_NOT_ENABLED']);

function judge(one: AttestationCase, status: number, text: string): CaseResult {
  if (status === 200) {
    const problems = [
      ...unexpected(one.verdict, 'genuine'),
      ...compareClaims(annotatedEvidence(text), one.tee, one.claims),
    ];
    return { verdict: 'genuine', remark: `${Object.keys(one.claims).length} claims compared`, problems };
  }
  const { code } = parseJson(text) as { code?: unknown };
  if (typeof code !== 'string' || status < 400 || (status >= 500 && status !== 503)) {
    return {
      verdict: 'failed',
      remark: '',
      problems: [`expected 200, 4xx or 503 with a code, got ${status}: ${text.slice(0, 200)}`],
    };
  }
  if (NOT_A_VERDICT.has(code)) return { verdict: 'failed', remark: '', problems: [`got ${code}`] };
  const verdict = status === 503 ? 'could-not-check' : 'refused';
  return { verdict, remark: code, problems: unexpected(one.verdict, verdict) };
}

/** A key that signs tokens, judged as a key broker judges the header of a token. */
export async function runEndorsementCase(one: EndorsementCase, folder: string): Promise<CaseResult> {
  const trusted = one.trusted.flatMap((name) =>
    parseCertificateBundle(readFileSync(join(folder, name), 'utf8')),
  );
  const jwk = parseJson(readFileSync(join(folder, one.jwk), 'utf8')) as Readonly<Record<string, Json>>;
  try {
    await endorsedHeaderKeys(trusted).candidates({ keyId: undefined, jwk }, new Date(one.at));
    return { verdict: 'genuine', remark: '', problems: unexpected(one.verdict, 'genuine') };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { verdict: 'refused', remark: String(error.code), problems: unexpected(one.verdict, 'refused') };
  }
}

function annotatedEvidence(token: string): Readonly<Record<string, Json>> {
  const { submods } = decodeJwt<{
    submods: Readonly<Record<string, { 'ear.veraison.annotated-evidence': Readonly<Record<string, Json>> }>>;
  }>(token);
  return Object.values(submods)[0]?.['ear.veraison.annotated-evidence'] ?? {};
}
