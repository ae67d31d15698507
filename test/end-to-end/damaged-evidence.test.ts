import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeAmd, type FakeAmd, type FakeEvidence } from '../fakes/fake-amd.ts';
import { postEvidence } from '../harness/guest.ts';
import type { HttpReply } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let amd: FakeAmd;
let verigo: RunningVerigo;

beforeAll(async () => {
  amd = await createFakeAmd({}, ['Milan']);
  verigo = await startVerigo({ rootsPem: amd.pem('Milan') });
});
afterAll(async () => {
  await verigo.close();
});

async function broken(change: (evidence: FakeEvidence) => void): Promise<HttpReply> {
  const evidence = structuredClone(await amd.evidence());
  change(evidence);
  return await postEvidence(verigo.url, 'snp', evidence);
}

describe('evidence that is damaged on its way', () => {
  test('cut at any length, the document is refused', async () => {
    const whole = JSON.stringify(await amd.evidence());
    const step = 97; // every length is tried with the parser itself; here, that the server says so each time
    for (let length = 0; length < whole.length; length += step) {
      const reply = await postEvidence(verigo.url, 'snp', whole.slice(0, length));
      expect({ status: reply.status, code: reply.code }, String(length)).toEqual({
        status: 400,
        code: 'JSON_MALFORMED',
      });
    }
  });

  test.each(['report_data', 'measurement', 'chip_id', 'host_data', 'id_key_digest', 'report_id'] as const)(
    '%s cut or padded is refused',
    async (field) => {
      for (const change of [
        (bytes: readonly number[]) => bytes.slice(1),
        (bytes: readonly number[]) => [...bytes, 0],
        () => [],
      ]) {
        const reply = await broken(({ attestation_report: report }) => {
          report[field] = change(report[field]);
        });
        expect(reply).toMatchObject({ status: 400, code: 'EVIDENCE_MALFORMED' });
      }
    },
  );

  test.each([
    'report_data',
    'measurement',
    'host_data',
    'id_key_digest',
    'author_key_digest',
    'family_id',
    'image_id',
    'report_id',
    'chip_id',
  ] as const)('a bit of %s changed is refused', async (field) => {
    for (const bit of [0, 3, 7]) {
      const reply = await broken(({ attestation_report: report }) => {
        report[field] = report[field].map((byte, index) => (index === 5 ? byte ^ (1 << bit) : byte));
      });
      expect(reply.status).toBe(401);
      expect(['SIGNATURE_INVALID', 'CHIP_ID_MISMATCH']).toContain(reply.code);
    }
  });

  test('any byte of the signature changed is refused', async () => {
    for (let index = 0; index < 72; index += 5) {
      const reply = await broken(({ attestation_report: { signature } }) => {
        (signature.r as number[])[index]! ^= 0x10;
      });
      expect(reply.status, String(index)).toBe(401);
      expect(['SIGNATURE_INVALID', 'SIGNATURE_MALFORMED']).toContain(reply.code);
    }
  });

  test.each([
    ['no object', '[]'],
    ['null', 'null'],
    ['a number', '1'],
    ['an empty object', '{}'],
    ['numbers that are no bytes', '{"attestation_report":{"report_data":[256,-1,1.5]},"cert_chain":[]}'],
    [
      'a long list of certificates',
      JSON.stringify({
        attestation_report: {},
        cert_chain: Array.from({ length: 500 }, () => ({ cert_type: 'VCEK', data: [] })),
      }),
    ],
  ])('%s is refused', async (_what, text) => {
    expect(await postEvidence(verigo.url, 'snp', text)).toMatchObject({
      status: 400,
      code: 'EVIDENCE_MALFORMED',
    });
  });

  test('an endless list is refused before it is read', async () => {
    const chain = Array.from({ length: 10_000 }, () => ({ cert_type: 'VCEK', data: [] }));
    const text = JSON.stringify({ attestation_report: {}, cert_chain: chain });
    expect(await postEvidence(verigo.url, 'snp', text)).toMatchObject({
      status: 400,
      code: 'JSON_TOO_LARGE',
    });
  });
});
