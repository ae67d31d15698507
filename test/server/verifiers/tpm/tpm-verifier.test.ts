import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { readTpmEvidence } from '../../../../server/verifiers/tpm/evidence.ts';
import {
  createFakeAk,
  extendedOnce,
  type FakeQuoteOptions,
  fakePcrs,
  range,
  SHA256_BANK,
} from '../../../fakes/tpm-quote.ts';
import { claimsOf, digestOfKey, tpmEvidence } from './tpm-setup.ts';

const ak = createFakeAk();
const trusted = [digestOfKey(ak.publicKey)];
const digest = new Uint8Array(48).map((_, index) => index + 1);
const initDataDigest = new Uint8Array(32).fill(0xd1);
const zeros = (bytes: Uint8Array, length: number): Uint8Array =>
  Buffer.concat([bytes, Buffer.alloc(length - bytes.byteLength)]);

describe('createTpmVerifier', () => {
  it('gives every claim under its name', async () => {
    const evidence = tpmEvidence(ak, { extraData: digest });
    expect(await claimsOf(evidence, trusted, { reportData: digest })).toEqual({
      ak_public: evidence['ak_public'],
      ak_trust: 'configured-key',
      report_data: Buffer.from(digest).toString('hex'),
      init_data: '00'.repeat(32),
      ...Object.fromEntries(
        fakePcrs().map((value, index) => [
          `pcr${`${index}`.padStart(2, '0')}`,
          Buffer.from(value).toString('hex'),
        ]),
      ),
    });
  });

  it('proves quotes of elliptic keys', async () => {
    const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const evidence = tpmEvidence(elliptic, { scheme: 'ecdsa' });
    await expect(claimsOf(evidence, [digestOfKey(elliptic.publicKey)])).resolves.toBeDefined();
  });

  it.each<[string, Uint8Array, Uint8Array]>([
    ['as it is', digest, digest],
    ['padded to 64 bytes', digest, zeros(digest, 64)],
    ['cut to 32 bytes, SHA-384', digest, digest.subarray(0, 32)],
    ['cut to 32 bytes, SHA-512', zeros(digest, 64), digest.subarray(0, 32)],
    ['padded to 32 bytes', digest.subarray(0, 20), zeros(digest.subarray(0, 20), 32)],
    ['of 100 bytes', new Uint8Array(60).fill(9), new Uint8Array(60).fill(9)],
  ])('accepts the expected bytes %s', async (_what, reportData, extraData) => {
    await expect(claimsOf(tpmEvidence(ak, { extraData }), trusted, { reportData })).resolves.toBeDefined();
  });

  it.each<[string, Uint8Array, Uint8Array]>([
    ['reversed', digest, Uint8Array.from(digest).reverse()],
    ['cut, where they are no digest', digest.subarray(0, 40), digest.subarray(0, 32)],
    ['cut elsewhere', digest, digest.subarray(0, 31)],
    ['padded to 65 bytes', digest, zeros(digest, 65)],
    ['padded with something else', digest, Buffer.concat([digest, Buffer.alloc(16, 1)])],
    ['not at all', digest, new Uint8Array()],
    ['where none are expected', new Uint8Array(), digest],
  ])('refuses the expected bytes %s', async (_what, reportData, extraData) => {
    await expect(claimsOf(tpmEvidence(ak, { extraData }), trusted, { reportData })).rejects.toMatchObject({
      code: 'REPORT_DATA_MISMATCH',
    });
  });

  it('binds init data by PCR 8', async () => {
    const values = fakePcrs().with(8, extendedOnce(initDataDigest));
    const evidence = tpmEvidence(ak, { values });
    await expect(claimsOf(evidence, trusted, { initDataDigest })).resolves.toBeDefined();
    for (const other of [initDataDigest.with(0, 0), initDataDigest.subarray(0, 20)]) {
      await expect(claimsOf(evidence, trusted, { initDataDigest: other })).rejects.toMatchObject({
        code: 'INIT_DATA_MISMATCH',
      });
    }
  });

  it('names PCRs by the signed selection: PCR 23 in the place of PCR 8 is not PCR 8', async () => {
    const evidence = tpmEvidence(ak, {
      selection: [{ algorithm: SHA256_BANK, indices: [...range(0, 8), 23] }],
      values: [...fakePcrs(8), extendedOnce(initDataDigest)],
    });
    const claims = await claimsOf(evidence, trusted);
    expect(claims).toHaveProperty('pcr23', extendedOnce(initDataDigest).toString('hex'));
    expect(claims).not.toHaveProperty('pcr08');
    expect(claims).not.toHaveProperty('init_data');
    await expect(claimsOf(evidence, trusted, { initDataDigest })).rejects.toMatchObject({
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
  });

  it('speaks of the SHA-256 bank where a quote covers several', async () => {
    const long = new Uint8Array(48).fill(0x48);
    const selection = [
      { algorithm: 0x0c, indices: [0] },
      { algorithm: SHA256_BANK, indices: [0] },
    ];
    const [value] = fakePcrs() as [Uint8Array];
    const evidence = tpmEvidence(ak, { selection, values: [long, value] });
    expect(await claimsOf(evidence, trusted)).toMatchObject({ pcr00: '01'.repeat(32) });
    const only = tpmEvidence(ak, { selection: selection.slice(0, 1), values: [long] });
    await expect(claimsOf(only, trusted)).rejects.toMatchObject({ code: 'PCR_BANK_UNSUPPORTED' });
  });

  it.each<[string, FakeQuoteOptions, string]>([
    ['a quote by another key', { signer: createFakeAk().privateKey }, 'SIGNATURE_INVALID'],
    ['what no TPM made', { magic: 0 }, 'QUOTE_MAGIC_MISMATCH'],
    ['a quote over nothing', { selection: [], values: [] }, 'PCR_SELECTION_MISMATCH'],
    ['other PCRs than quoted', { pcrDigest: new Uint8Array(32) }, 'PCR_DIGEST_MISMATCH'],
    ['a signature with SHA-1', { hash: 'sha1' }, 'SIGNATURE_ALGORITHM_UNSUPPORTED'],
  ])('refuses %s', async (_what, options, code) => {
    await expect(claimsOf(tpmEvidence(ak, options), trusted)).rejects.toMatchObject({ code });
  });

  it('refuses more values than the quote covers', async () => {
    const evidence = tpmEvidence(ak);
    const quote = evidence['tpm_quote'] as { pcrs: string[] };
    quote.pcrs.push('00'.repeat(32));
    await expect(claimsOf(evidence, trusted)).rejects.toMatchObject({ code: 'PCR_SELECTION_MISMATCH' });
  });

  describe('with an event log', () => {
    const evidence = { ...tpmEvidence(ak), event_log: Buffer.from('log').toString('base64') };

    it('adds what the replay found, which cannot stand in the place of what was quoted', async () => {
      const claims = await claimsOf(
        evidence,
        trusted,
        {},
        {
          replayEventLog: (log, pcrs, algorithm) => {
            expect(Buffer.from(log).toString()).toBe('log');
            expect(algorithm).toBe('sha256');
            return { uefi_event_logs: [pcrs.size], pcr00: 'forged', ak_trust: 'forged' };
          },
        },
      );
      expect(claims).toMatchObject({
        uefi_event_logs: [24],
        pcr00: '01'.repeat(32),
        ak_trust: 'configured-key',
      });
    });

    it('refuses what the replay refuses, and passes over logs where there is none', async () => {
      const replayEventLog = (): never => {
        throw new CodedError('EVENT_LOG_MISMATCH', 'expected another');
      };
      await expect(claimsOf(evidence, trusted, {}, { replayEventLog })).rejects.toMatchObject({
        code: 'EVENT_LOG_MISMATCH',
      });
      expect(await claimsOf(evidence, trusted)).not.toHaveProperty('uefi_event_logs');
      await expect(claimsOf(tpmEvidence(ak), trusted, {}, { replayEventLog })).resolves.toBeDefined();
    });
  });
});

describe('readTpmEvidence', () => {
  const good = tpmEvidence(ak);
  const quote = good['tpm_quote'] as Record<string, unknown>;

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'EVIDENCE_MALFORMED'],
    ['an array', [], 'EVIDENCE_MALFORMED'],
    ['no key', { ...good, ak_public: undefined }, 'EVIDENCE_MALFORMED'],
    ['a key that is no base64', { ...good, ak_public: 'MIIB_w==' }, 'EVIDENCE_MALFORMED'],
    ['a key that is too long', { ...good, ak_public: 'AAAA'.repeat(400) }, 'EVIDENCE_MALFORMED'],
    ['no quote', { ...good, tpm_quote: null }, 'EVIDENCE_MALFORMED'],
    ['129 values', { ...good, tpm_quote: { ...quote, pcrs: Array(129).fill('00') } }, 'EVIDENCE_MALFORMED'],
    ['a value that is no hex', { ...good, tpm_quote: { ...quote, pcrs: ['0'] } }, 'EVIDENCE_MALFORMED'],
    ['an empty signature', { ...good, tpm_quote: { ...quote, signature: '' } }, 'TRUNCATED'],
    ['an empty chain', { ...good, ak_cert_chain: [] }, 'EVIDENCE_MALFORMED'],
    ['nine certificates', { ...good, ak_cert_chain: Array(9).fill('AA==') }, 'EVIDENCE_MALFORMED'],
    ['a log that is no base64', { ...good, event_log: '?' }, 'EVIDENCE_MALFORMED'],
  ])('refuses %s', (_what, evidence, code) => {
    expect(() => readTpmEvidence(evidence)).toThrow(expect.objectContaining({ code }));
  });

  it('throws nothing but errors of ours, whatever JSON it gets', () => {
    const member = fc.constantFrom('ak_public', 'tpm_quote', 'ak_tpm_public', 'ak_cert_chain', 'event_log');
    fc.assert(
      fc.property(member, fc.jsonValue(), (name, value) => {
        for (const evidence of [value, { ...good, [name]: value }]) {
          try {
            readTpmEvidence(evidence);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        }
      }),
    );
  });
});
