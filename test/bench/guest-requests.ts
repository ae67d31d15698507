import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { bindRuntimeData } from '../../server/attestation/runtime-data.ts';
import { toBase64Url, toUtf8 } from '../../server/bytes/encoding.ts';
import type { JsonObject } from '../../server/claims/claims.ts';
import type { Guest } from './guests.ts';

const IN_FLIGHT = 16;

/** Bodies for POST /attestation: each with a nonce of its own, and with evidence of its own, which hardware has signed. */
export async function prepareRequests(
  address: string,
  guest: Guest,
  teeKey: JsonObject,
  count: number,
): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const bodies: string[] = [];
  let begun = 0;
  const loop = async (): Promise<void> => {
    while (begun++ < count) {
      const structured = { nonce: await fetchNonce(address, guest.tee, agent), 'tee-pubkey': teeKey };
      bodies.push(await requestOf(guest, structured));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  agent.destroy();
  return bodies;
}

async function requestOf({ tee, makeEvidence }: Guest, structured: JsonObject): Promise<string> {
  const { reportData = new Uint8Array() } = bindRuntimeData({ structured }, undefined);
  const evidence = toBase64Url(toUtf8(JSON.stringify(await makeEvidence(structured, reportData))));
  return JSON.stringify({
    verification_requests: [{ tee, evidence, runtime_data: { structured } }],
    policy_ids: ['default'],
  });
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
