import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAttestationCase, loadCases } from '../conformance/cases.ts';
import { createFakeAmd } from '../fakes/fake-amd.ts';

export interface SnpSource {
  /** Where the evidence comes from, for people. */
  readonly origin: string;
  /** The evidence document. */
  readonly evidence: string;
  /** Certificates to believe in place of AMD's; undefined for real evidence. */
  readonly rootsPem: string | undefined;
}

/** Real SEV-SNP evidence from a folder of vectors; without one, evidence that a fake AMD made. */
export async function findSnpEvidence(folder: string | undefined): Promise<SnpSource> {
  if (folder === undefined) {
    const amd = await createFakeAmd({}, ['Genoa']);
    return {
      origin: 'made by a fake AMD, since no --vectors DIR was given',
      evidence: JSON.stringify(await amd.evidence({ product: 'Genoa' })),
      rootsPem: amd.pem('Genoa'),
    };
  }
  const found = loadCases(folder)
    .filter(isAttestationCase)
    .find(({ tee, verdict }) => tee === 'snp' && verdict.includes('genuine'));
  if (found === undefined) throw new Error(`expected a genuine snp case in ${folder}/CASES.json, got none`);
  return {
    origin: `real: ${found.what} (case ${found.id})`,
    evidence: readFileSync(join(folder, found.evidence), 'utf8'),
    rootsPem: undefined,
  };
}
