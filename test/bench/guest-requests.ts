import { type KeyObject, sign } from 'node:crypto';
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { bindRuntimeData } from '../../server/attestation/runtime-data.ts';
import { toBase64Url, toUtf8 } from '../../server/bytes/encoding.ts';
import type { JsonObject } from '../../server/claims/claims.ts';
import { createSampleEvidence } from '../../server/cli/sample-evidence.ts';
import type { FakeAmd } from '../fakes/fake-amd.ts';
import { encodeFakeReport, fakeReport, inField } from '../fakes/snp-report.ts';

const PRODUCT = 'Milan';
const IN_FLIGHT = 16;
const signOnThreadPool = promisify(sign);

/** What the policy compares of the reports below, so that they are affirmed. */
export const SNP_REFERENCE_VALUES = [
  ['snp_launch_measurement', ['a5'.repeat(48)]],
  ['snp_bootloader', [3]],
  ['snp_microcode', [115]],
  ['snp_snp_svn', [8]],
  ['snp_tee_svn', [0]],
] as const;
export const SAMPLE_REFERENCE_VALUES = [
  ['launch_digest', ['abcde']],
  ['svn', ['1']],
  ['major_version', 1],
  ['minimum_minor_version', 1],
] as const;

/** Bodies for POST /attestation: each with a nonce of its own, and with a report of its own, which a chip has signed. */
export async function prepareSnpRequests(
  address: string,
  amd: FakeAmd,
  teeKey: JsonObject,
  count: number,
): Promise<readonly string[]> {
  const { cert_chain } = await amd.evidence({ product: PRODUCT });
  const report = fakeReport(PRODUCT, 3);
  const key = amd.keyOf(PRODUCT, Buffer.from(report.chip_id).toString('hex'), report.reported_tcb);
  return await prepare(address, 'snp', count, async (nonce) => {
    const structured = { nonce, 'tee-pubkey': teeKey };
    const { reportData = new Uint8Array() } = bindRuntimeData({ structured }, undefined);
    const bound = { ...report, report_data: inField(64, reportData) };
    const signature = await signReport(encodeFakeReport(bound, PRODUCT), key);
    return { structured, evidence: { attestation_report: { ...bound, signature }, cert_chain } };
  });
}

/** The same with sample evidence, which nobody signs. */
export async function prepareSampleRequests(
  address: string,
  teeKey: JsonObject,
  count: number,
): Promise<readonly string[]> {
  return await prepare(address, 'sample', count, async (nonce) => {
    const structured = { nonce, 'tee-pubkey': teeKey };
    return { structured, evidence: createSampleEvidence(structured) };
  });
}

/** r and s as AMD writes them: little-endian, 72 bytes each. On the thread pool, so that all cores sign. */
async function signReport(bytes: Uint8Array, key: KeyObject): Promise<{ r: number[]; s: number[] }> {
  const signature = await signOnThreadPool('sha384', bytes.subarray(0, 0x2a0), {
    key,
    dsaEncoding: 'ieee-p1363',
  });
  const field = (scalar: Uint8Array): number[] => [...inField(72, scalar.toReversed())];
  return { r: field(signature.subarray(0, 48)), s: field(signature.subarray(48)) };
}

type MakeEvidence = (
  nonce: string,
) => Promise<{ readonly structured: JsonObject; readonly evidence: unknown }>;

async function prepare(
  address: string,
  tee: string,
  count: number,
  makeEvidence: MakeEvidence,
): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const bodies: string[] = [];
  let begun = 0;
  const loop = async (): Promise<void> => {
    while (begun++ < count) {
      const { structured, evidence } = await makeEvidence(await fetchNonce(address, tee, agent));
      bodies.push(
        JSON.stringify({
          verification_requests: [
            { tee, evidence: toBase64Url(toUtf8(JSON.stringify(evidence))), runtime_data: { structured } },
          ],
          policy_ids: ['default'],
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  agent.destroy();
  return bodies;
}

async function fetchNonce(address: string, tee: string, agent: Agent): Promise<string> {
  return await new Promise((resolve, reject) => {
    request(
      `${address}/challenge`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        buffer(response).then((body) => {
          if (response.statusCode === 200) resolve(body.toString());
          else reject(new Error(`expected a nonce, got ${response.statusCode}: ${body.toString()}`));
        }, reject);
      },
    )
      .on('error', reject)
      .end(JSON.stringify({ tee, tee_params: '' }));
  });
}
