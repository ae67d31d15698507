import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inspectTpmEvidence } from '../../../server/cli/tpm-evidence.ts';
import { fakeEventLog, fakeRegister } from '../../fakes/event-log-bytes.ts';
import { encodeFakePublic } from '../../fakes/tpm-object.ts';
import { createFakeAk, SHA256_BANK } from '../../fakes/tpm-quote.ts';
import { digestOfKey, tpmEvidence } from '../verifiers/tpm/tpm-setup.ts';
import { issue } from '../x509/test-pki.ts';

const ak = createFakeAk();

describe('inspectTpmEvidence', () => {
  it('reads a quote, judging nothing, with what an operator would write down to trust its key', () => {
    const area = encodeFakePublic(ak.publicKey);
    const document = {
      ...tpmEvidence(ak, { extraData: new Uint8Array(32).fill(7), signer: createFakeAk().privateKey }),
      ak_tpm_public: Buffer.from(area).toString('base64'),
    };
    expect(inspectTpmEvidence({ form: 'json', document })).toMatchObject({
      ak_sha256: digestOfKey(ak.publicKey),
      ak_name: `000b${createHash('sha256').update(area.subarray(2)).digest('hex')}`,
      report_data: '07'.repeat(32),
      init_data: '00'.repeat(32),
      pcr11: '0c'.repeat(32),
      tpm_quote: { clock: '4711', clock_safe: true, reset_count: 2, restart_count: 1 },
    });
  });

  it('numbers PCRs by the selection of the quote', () => {
    const document = tpmEvidence(ak, {
      selection: [{ algorithm: SHA256_BANK, indices: [16, 23] }],
      values: [new Uint8Array(32).fill(0xaa), new Uint8Array(32).fill(0xbb)],
    });
    const claims = inspectTpmEvidence({ form: 'json', document });
    expect(claims).toMatchObject({ pcr16: 'aa'.repeat(32), pcr23: 'bb'.repeat(32) });
    expect(claims).not.toHaveProperty('pcr00');
  });

  it('names the certificates of the key', async () => {
    const chain = [(await issue('the key')).certificate.der];
    const document = {
      ...tpmEvidence(ak),
      ak_cert_chain: chain.map((der) => Buffer.from(der).toString('base64')),
    };
    expect(inspectTpmEvidence({ form: 'json', document })).toMatchObject({ ak_cert_chain: ['the key'] });
  });

  it('reads the event log beside it, or says why it cannot', () => {
    const log = fakeEventLog({ algorithms: ['sha256'], records: [{ index: 4 }] });
    const withLog = (bytes: Uint8Array) => ({
      ...tpmEvidence(ak),
      event_log: Buffer.from(bytes).toString('base64'),
    });
    const digest = createHash('sha256').update(Buffer.alloc(4)).digest();
    expect(inspectTpmEvidence({ form: 'json', document: withLog(log) })).toMatchObject({
      replayed_registers: { sha256: { 4: Buffer.from(fakeRegister('sha256', [digest])).toString('hex') } },
      uefi_event_logs: [{ index: 4, type_name: 'EV_SEPARATOR' }],
    });
    expect(inspectTpmEvidence({ form: 'json', document: withLog(log.subarray(0, -1)) })).toMatchObject({
      event_log_error: { code: 'TRUNCATED' },
      pcr00: '01'.repeat(32),
    });
  });

  it('refuses other evidence', () => {
    expect(() => inspectTpmEvidence({ form: 'json', document: { quote: 'AAAA' } })).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
    expect(() => inspectTpmEvidence({ form: 'bytes', bytes: new Uint8Array(64) })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    );
  });
});
