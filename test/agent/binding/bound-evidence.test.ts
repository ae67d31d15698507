import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import {
  sampleAttester,
  sampleDeviceAttester,
} from '../../../agent/attestation-agent/attesters/sample/sample-attester.ts';
import type { EvidenceProvider } from '../../../agent/attestation-agent/evidence-provider.ts';
import { BINDING_HASHES, webDigester } from '../../../agent/binding/binding-hash.ts';
import { bindingDigest, collectEvidence } from '../../../agent/binding/bound-evidence.ts';
import { createNodeDigester } from '../../../agent/binding/node-digester.ts';

const DATA = { nonce: 'fresh', 'tee-pubkey': { kty: 'EC', y: 'y', x: 'x' } };
const nodeDigester = createNodeDigester();

function digestOf(document: object, hash = 'sha384'): string {
  return createHash(hash).update(canonicalize(document)!).digest('base64');
}

/** Keeps what it was asked to carry. */
function recorder(
  tee: string,
  reportDataBytes: number | 'exact',
): EvidenceProvider & { asked: Uint8Array[] } {
  const asked: Uint8Array[] = [];
  return {
    tee,
    reportDataBytes,
    devices: [],
    asked,
    async evidence(reportData) {
      asked.push(reportData);
      return {};
    },
  };
}

describe('what evidence is bound to', () => {
  test('without devices: the digest with an empty text for them', async () => {
    const provider = { ...sampleAttester, devices: [] };
    const { primary, devices, additional } = await collectEvidence(provider, DATA, 'sha384', nodeDigester);
    expect(additional).toBe('');
    expect(devices).toEqual([]);
    expect(primary).toEqual({ svn: '1', report_data: digestOf({ ...DATA, 'additional-evidence': '' }) });
  });

  test('with devices: theirs to the runtime data, the TEE’s to their evidence as text', async () => {
    const provider = { ...sampleAttester, devices: [sampleDeviceAttester] };
    const { primary, devices, additional } = await collectEvidence(provider, DATA, 'sha384', nodeDigester);
    expect(devices).toEqual([{ tee: 'sampledevice', evidence: { svn: '2', report_data: digestOf(DATA) } }]);
    expect(JSON.parse(additional)).toEqual({ sampledevice: devices[0]?.evidence });
    expect(primary['report_data']).toBe(digestOf({ ...DATA, 'additional-evidence': additional }));
  });

  test('members in another order are the same runtime data', async () => {
    const turned = { 'tee-pubkey': { x: 'x', y: 'y', kty: 'EC' }, nonce: 'fresh' };
    expect(await bindingDigest(turned, 'sha384', nodeDigester)).toEqual(
      await bindingDigest(DATA, 'sha384', nodeDigester),
    );
  });

  test('the published vector of structured runtime data', async () => {
    const document = { b: 1, a: 'test', c: { d: 'e' } } as never;
    const digest = await bindingDigest(document, 'sha384', webDigester);
    expect(Buffer.from(digest).toString('hex')).toBe(
      'e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3',
    );
  });

  test('integers of evidence beyond 2^53 stay exact', async () => {
    const device = { ...recorder('nvidia', 'exact'), evidence: async () => ({ id: 0xffff_ffff_ffff_ffffn }) };
    const provider = { ...sampleAttester, devices: [device] };
    const { additional } = await collectEvidence(provider, DATA, 'sha384', nodeDigester);
    expect(additional).toBe('{"nvidia":{"id":18446744073709551615}}');
  });
});

describe('digests', () => {
  test.each(BINDING_HASHES)('%s by OpenSSL', async (hash) => {
    expect(nodeDigester.hashes).toContain(hash);
    expect(Buffer.from(await nodeDigester.digest(hash, 'a'))).toEqual(createHash(hash).update('a').digest());
  });

  test('WebCrypto has all but SM3, and says so before it is asked', async () => {
    expect(webDigester.hashes).toEqual(['sha256', 'sha384', 'sha512']);
    for (const hash of webDigester.hashes) {
      expect(await webDigester.digest(hash, 'ä')).toEqual(
        new Uint8Array(await nodeDigester.digest(hash, 'ä')),
      );
    }
    await expect(webDigester.digest('sm3', 'a')).rejects.toThrow(RangeError);
  });
});

describe('how report data is brought to its field', () => {
  test('exact for the sample TEE, padded with zeros for the others', async () => {
    const exact = recorder('sample', 'exact');
    const padded = recorder('snp', 64);
    await collectEvidence(exact, DATA, 'sha384', nodeDigester);
    await collectEvidence(padded, DATA, 'sha384', nodeDigester);
    expect(exact.asked[0]).toHaveLength(48);
    expect(padded.asked[0]).toHaveLength(64);
    expect(Buffer.from(padded.asked[0]!)).toEqual(Buffer.concat([exact.asked[0]!, Buffer.alloc(16)]));
  });

  test('what does not fit is refused and not cut', async () => {
    await expect(collectEvidence(recorder('tpm', 32), DATA, 'sha384', nodeDigester)).rejects.toMatchObject({
      code: 'REPORT_DATA_TOO_LONG',
    });
  });

  test('Secure Execution is asked with its whole challenge and the digest in it', async () => {
    const provider = recorder('se', 'exact');
    await collectEvidence(provider, { ...DATA, nonce: '{"request_blob":"AAAA"}' }, 'sha512', nodeDigester);
    expect(JSON.parse(Buffer.from(provider.asked[0]!).toString())).toEqual({
      request_blob: 'AAAA',
      runtime_data_digest: digestOf(
        { ...DATA, nonce: '{"request_blob":"AAAA"}', 'additional-evidence': '' },
        'sha512',
      ),
    });
  });

  test.each([
    ['[]', 'EVIDENCE_UNAVAILABLE'],
    ['no JSON', 'JSON_MALFORMED'],
  ])('a challenge %s is none for Secure Execution', async (nonce, code) => {
    const collected = collectEvidence(recorder('se', 'exact'), { ...DATA, nonce }, 'sha512', nodeDigester);
    await expect(collected).rejects.toMatchObject({ code });
  });
});
