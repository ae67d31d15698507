import { createHash, createPublicKey } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindByPcr } from '../../../../../agent/attestation-agent/attesters/tpm/init-data-pcr.ts';
import { createPcrRegisters } from '../../../../../agent/attestation-agent/attesters/tpm/pcr-registers.ts';
import {
  createTpmAttester,
  type TpmAttesterOptions,
} from '../../../../../agent/attestation-agent/attesters/tpm/tpm-attester.ts';
import {
  createTpmTools,
  type TpmTools,
} from '../../../../../agent/attestation-agent/attesters/tpm/tpm-tools.ts';
import {
  openRuntimeMeasurement,
  type RuntimeMeasurement,
} from '../../../../../agent/attestation-agent/event-log/runtime-measurement.ts';
import { evidenceFor } from '../../../../../agent/attestation-agent/evidence-provider.ts';
import type { Claims } from '../../../../../server/claims/claims.ts';
import { replayPcrEventLog } from '../../../../../server/verifiers/tpm/pcr-event-log.ts';
import type { ExpectedBinding } from '../../../../../server/verifiers/verifier.ts';
import { hasSwtpm, type Swtpm, startSwtpm } from '../../../../fakes/run-swtpm.ts';
import { extendedOnce } from '../../../../fakes/tpm-quote.ts';
import { claimsOf, digestOfKey } from '../../../../server/verifiers/tpm/tpm-setup.ts';

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const isThere = hasSwtpm();
if (!isThere && !mustRun) console.warn('no swtpm and tpm2-tools: attesting with a TPM is not tested');

const KEYS = {
  rsassa: ['rsa', 'rsassa', 'sha256'],
  rsapss: ['rsa', 'rsapss', 'sha256'],
  ecdsa: ['ecc', 'ecdsa', 'sha256'],
  'ecdsa with SHA-384': ['ecc384', 'ecdsa', 'sha384'],
} as const;
const HANDLE = '0x81010002';
const event = { domain: 'domain', operation: 'operation', content: 'content' };
const digest = createHash('sha256').update('init data').digest();
const sha384 = createHash('sha384').update('runtime data').digest();
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe.skipIf(!isThere && !mustRun)('a TPM in software', () => {
  let tpm: Swtpm;
  let tools: TpmTools;
  let folder: string;
  let logs: string;

  beforeEach(async () => {
    tpm = await startSwtpm();
    folder = await mkdtemp(join(tmpdir(), 'verigo-tpm-test-'));
    logs = await mkdtemp(join(tmpdir(), 'verigo-tpm-log-'));
    tools = createTpmTools({ tcti: tpm.tcti, folder });
  });

  afterEach(async () => {
    expect(await readdir(folder)).toEqual([]);
    await tpm.stop();
    await rm(folder, { recursive: true });
    await rm(logs, { recursive: true });
  });

  /** As an operator provisions it. */
  async function createKey(kind: keyof typeof KEYS = 'rsassa'): Promise<void> {
    const [algorithm, scheme, hash] = KEYS[kind];
    await tpm.tool('createek', '-c', 'ek.ctx', '-G', 'rsa');
    await tpm.tool(
      'createak',
      '-C',
      'ek.ctx',
      '-c',
      'ak.ctx',
      '-G',
      algorithm,
      '-s',
      scheme,
      '-g',
      hash,
      '-n',
      'ak.name',
    );
    await tpm.tool('evictcontrol', '-C', 'o', '-c', 'ak.ctx', HANDLE);
  }

  async function openMeasurement(): Promise<RuntimeMeasurement> {
    return await openRuntimeMeasurement({
      enabled: true,
      registers: createPcrRegisters(tools),
      defaultPcr: 16,
      logPath: join(logs, 'eventlog'),
      writeAheadPath: join(logs, 'entry'),
    });
  }

  async function prove(
    reportData: Uint8Array,
    expected: Partial<ExpectedBinding> = {},
    options: Partial<TpmAttesterOptions> = {},
  ): Promise<Claims> {
    const log = {
      whileUnchanged: async <T>(work: (log: undefined) => Promise<T>): Promise<T> => await work(undefined),
    };
    const attester = createTpmAttester({ tools, log, ...options });
    const evidence = JSON.parse(JSON.stringify(await evidenceFor(attester, reportData))) as {
      ak_public: string;
    };
    const key = createPublicKey({
      key: Buffer.from(evidence.ak_public, 'base64'),
      format: 'der',
      type: 'spki',
    });
    return await claimsOf(
      evidence,
      [digestOfKey(key)],
      { reportData, ...expected },
      { replayEventLog: replayPcrEventLog },
    );
  }

  it.each(Object.keys(KEYS) as (keyof typeof KEYS)[])(
    'gives evidence by a key for %s that the server proves',
    async (kind) => {
      await createKey(kind);
      expect(await prove(sha384)).toMatchObject({
        ak_trust: 'configured-key',
        report_data: sha384.subarray(0, 32).toString('hex'),
        pcr00: '00'.repeat(32),
        pcr17: 'ff'.repeat(32),
      });
    },
  );

  it('shows the name of its key, for servers that believe a name', async () => {
    await createKey();
    const log = {
      whileUnchanged: async <T>(work: (log: undefined) => Promise<T>): Promise<T> => await work(undefined),
    };
    const evidence = await evidenceFor(createTpmAttester({ tools, log }), sha384);
    const name = (await tpm.read('ak.name')).toString('hex');
    expect(await claimsOf(evidence, [name], { reportData: sha384 })).toMatchObject({
      ak_trust: 'configured-name',
    });
    expect(evidence).not.toHaveProperty('ak_cert_chain');
    const certified = createTpmAttester({ tools, log, keyCertificates: [Buffer.from('certificate')] });
    expect(await evidenceFor(certified, sha384)).toMatchObject({
      ak_cert_chain: [Buffer.from('certificate').toString('base64')],
    });
  });

  it('A17: binds 32 bytes, of digests the first, and refuses to cut anything else', async () => {
    await createKey();
    for (const length of [0, 1, 32, 48, 64]) {
      const reportData = Buffer.alloc(64, 7).subarray(0, length);
      const quoted = Buffer.concat([reportData, Buffer.alloc(32)]).subarray(0, 32);
      expect(await prove(reportData)).toMatchObject({ report_data: quoted.toString('hex') });
    }
    for (const length of [33, 47, 49, 63, 65]) {
      await expect(prove(new Uint8Array(length))).rejects.toThrow(code('REPORT_DATA_TOO_LONG'));
    }
    await expect(prove(sha384, { reportData: sha384.toReversed() })).rejects.toThrow(
      code('REPORT_DATA_MISMATCH'),
    );
  });

  it('A6: measures events, and the server replays them against the quote', async () => {
    await createKey();
    const measurement = await openMeasurement();
    expect(await measurement.extend(event)).toBe('ok');
    expect(await measurement.extend({ ...event, registerIndex: 23 })).toBe('ok');
    const claims = await prove(sha384, {}, { log: measurement });
    expect(claims['uefi_event_logs']).toMatchObject([{ index: 16 }, { index: 23 }]);
    await tpm.tool('pcrextend', `16:sha256=${'ee'.repeat(32)}`);
    await expect(prove(sha384, {}, { log: measurement })).rejects.toThrow(code('EVENT_LOG_REPLAY_MISMATCH'));
  });

  it('A6: has the PCRs by their own numbers', async () => {
    const registers = createPcrRegisters(tools);
    expect(registers.hash).toBe('sha256');
    expect([0, 7, 16, 23].map((pcr) => registers.registerOf(pcr))).toEqual([0, 7, 16, 23]);
    for (const pcr of [-1, 24, 1.5])
      expect(() => registers.registerOf(pcr)).toThrow(code('REGISTER_UNKNOWN'));
    expect(() => registers.registerOf(8)).toThrow(code('REGISTER_RESERVED'));
    await registers.extend(23, digest);
    expect(Buffer.from(await registers.read(23))).toEqual(Buffer.from(extendedOnce(digest)));
  });

  it('says that PCR 17 is not for a guest to extend, and measures nothing', async () => {
    const registers = createPcrRegisters(tools);
    await expect(registers.extend(17, digest)).rejects.toThrow(code('REGISTER_FAILED'));
    await expect(registers.extend(17, digest)).rejects.toThrow('16 and 23 are free');
    expect(Buffer.from(await registers.read(17))).toEqual(Buffer.alloc(32, 0xff));
  });

  it('binds init data once, however often it starts, and the server compares it', async () => {
    await createKey();
    expect(await bindByPcr(tools, digest)).toEqual({ result: 'bound' });
    expect(await bindByPcr(tools, digest)).toEqual({ result: 'bound' });
    await expect(prove(sha384, { initDataDigest: digest })).resolves.toBeDefined();
    expect(await bindByPcr(tools, digest.toReversed())).toMatchObject({ result: 'mismatch' });
    await expect(prove(sha384, { initDataDigest: digest })).resolves.toBeDefined();
  });

  it('does not bind init data beside what somebody else measured', async () => {
    await tpm.tool('pcrextend', `8:sha256=${'ee'.repeat(32)}`);
    expect(await bindByPcr(tools, digest)).toMatchObject({ result: 'mismatch' });
    expect(Buffer.from(await createPcrRegisters(tools).read(8))).toEqual(
      Buffer.from(extendedOnce(Buffer.alloc(32, 0xee))),
    );
  });

  it.each([0, 20, 48, 64])(
    'A18: refuses init data with a digest of %i bytes, and says which it takes',
    async (bytes) => {
      const binding = bindByPcr(tools, new Uint8Array(bytes));
      await expect(binding).rejects.toThrow(code('INIT_DATA_DIGEST_SIZE'));
      expect(Buffer.from(await createPcrRegisters(tools).read(8))).toEqual(Buffer.alloc(32));
    },
  );

  it('says that there is no key', async () => {
    await expect(prove(sha384)).rejects.toThrow(code('TPM_FAILED'));
  });

  it('takes several requests at once', async () => {
    await createKey();
    const requests = ['a', 'b', 'c'].map(
      async (text) => await prove(createHash('sha256').update(text).digest()),
    );
    expect(new Set((await Promise.all(requests)).map((claims) => claims['report_data'])).size).toBe(3);
  });
});
