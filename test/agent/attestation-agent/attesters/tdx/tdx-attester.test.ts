import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Attester } from '../../../../../agent/attestation-agent/attesters/attester.ts';
import { readTdQuoteFields } from '../../../../../agent/attestation-agent/attesters/tdx/td-quote-fields.ts';
import { createTdxAttester } from '../../../../../agent/attestation-agent/attesters/tdx/tdx-attester.ts';
import { createTsmReporter } from '../../../../../agent/attestation-agent/attesters/tsm/tsm-report.ts';
import {
  openRuntimeMeasurement,
  type RuntimeMeasurement,
} from '../../../../../agent/attestation-agent/event-log/runtime-measurement.ts';
import { evidenceFor } from '../../../../../agent/attestation-agent/evidence-provider.ts';
import type { Claims } from '../../../../../server/claims/claims.ts';
import { createTdxVerifier } from '../../../../../server/verifiers/tdx/tdx-verifier.ts';
import type { ExpectedBinding } from '../../../../../server/verifiers/verifier.ts';
import { fakeEventLog, fakeRegister } from '../../../../fakes/event-log-bytes.ts';
import { fakeConfigfsTsm } from '../../../../fakes/fake-configfs-tsm.ts';
import { type FakeIntel, type FakeQuoteOptions, sharedFakeIntel } from '../../../../fakes/fake-intel.ts';
import { fakeQuoteVerification } from '../../../../fakes/fake-quote-verification.ts';
import { createFakeRtmrs, type FakeRtmrs } from '../../../../fakes/fake-rtmrs.ts';
import { filled } from '../../../../fakes/quote-bytes.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const reportData = filled(48, 9);
const digest = filled(48, 0xd1);
const event = { domain: 'domain', operation: 'operation', content: 'content' };

let intel: FakeIntel;
let folder: string;
let rtmrs: FakeRtmrs;
let measurement: RuntimeMeasurement;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-tdx-'));
  rtmrs = createFakeRtmrs();
  measurement = await openRuntimeMeasurement({
    enabled: true,
    registers: rtmrs.registers,
    defaultPcr: 17,
    logPath: join(folder, 'eventlog'),
    writeAheadPath: join(folder, '.wal_event_entry'),
  });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A trust domain whose quotes carry the registers as they are when they are asked for. */
function attesterWith(
  options: FakeQuoteOptions = {},
  change = (quote: Uint8Array): Uint8Array => quote,
): Attester {
  const tsm = fakeConfigfsTsm({ provider: 'tdx_guest' });
  const reporter = createTsmReporter({ fileSystem: tsm.fileSystem });
  return createTdxAttester({
    reporter: {
      provider: reporter.provider,
      // Signing is asynchronous, the kernel's file is not: the quote takes the place of what the kernel read.
      report: async (request) => {
        const { outblob } = await reporter.report(request);
        const td = { rtmrs: rtmrs.values(), reportData: outblob, ...options.td };
        return { outblob: change(await intel.quote({ ...options, td })), auxblob: undefined };
      },
    },
    log: measurement,
    firmwareLogPath: join(folder, 'CCEL'),
  });
}

async function claimsOf(attester: Attester, expected: Partial<ExpectedBinding> = {}): Promise<Claims> {
  const verifier = createTdxVerifier({ verifyQuote: fakeQuoteVerification(intel) });
  const evidence: unknown = JSON.parse(JSON.stringify(await evidenceFor(attester, reportData)));
  const [{ claims }] = await verifier.verify(
    evidence,
    { reportData, initDataDigest: undefined, ...expected },
    NOW,
  );
  return claims;
}

describe('createTdxAttester', () => {
  it.each([
    ['version 4', { version: 4 }],
    ['version 5 of TDX 1.0', { version: 5, body: 'td-1.0' }],
    ['version 5 of TDX 1.5', { version: 5, body: 'td-1.5' }],
  ] as const)('gives evidence with a quote of %s that the server proves', async (_what, options) => {
    expect(await claimsOf(attesterWith(options))).toMatchObject({
      report_data: `${'09'.repeat(48)}${'00'.repeat(16)}`,
      event_log_verified: false,
    });
  });

  it('sends no event log where there is none', async () => {
    expect(await evidenceFor(attesterWith(), reportData)).toMatchObject({ cc_eventlog: null });
  });

  it('sends what it measured, and the server replays it, with and without a log of the firmware', async () => {
    await measurement.extend(event);
    await measurement.extend({ ...event, registerIndex: 8 });
    expect(await claimsOf(attesterWith())).toMatchObject({ event_log_verified: true });
    const boot = fakeEventLog({ records: [{ index: 2, event: 'boot' }], padding: [30_000, 0xff] });
    await writeFile(join(folder, 'CCEL'), boot);
    rtmrs.set(2, fakeRegister('sha384', [digestOf('boot')]));
    const claims = await claimsOf(attesterWith());
    expect(claims['event_log_verified']).toBe(true);
    expect(claims['uefi_event_logs']).toHaveLength(3);
  });

  it('sends log and registers of one moment, whatever is measured meanwhile', async () => {
    await measurement.extend(event);
    const attester = attesterWith();
    const pairs = Array.from({ length: 8 }, async (_, index) => {
      const claims = claimsOf(attester);
      await measurement.extend({ ...event, content: `${index}` });
      return await claims;
    });
    for (const claims of await Promise.all(pairs)) expect(claims['event_log_verified']).toBe(true);
  });

  it.each([
    [
      'a log of the firmware that breaks off',
      async () => {
        await writeFile(join(folder, 'CCEL'), fakeEventLog().subarray(0, -1));
      },
    ],
    [
      'one that is beyond any size',
      async () => {
        await writeFile(join(folder, 'CCEL'), new Uint8Array(1024 * 1024 + 1));
      },
    ],
    [
      'one that cannot be read',
      async () => {
        await mkdir(join(folder, 'CCEL'));
      },
    ],
  ])('refuses %s', async (_what, prepare) => {
    await prepare();
    await expect(evidenceFor(attesterWith(), reportData)).rejects.toMatchObject({
      code: 'FIRMWARE_LOG_MALFORMED',
    });
  });

  it.each<[string, string, FakeQuoteOptions, (quote: Uint8Array) => Uint8Array]>([
    [
      'a quote of other data',
      'REPORT_OF_ANOTHER_REQUEST',
      { td: { reportData: filled(64, 1) } },
      (quote) => quote,
    ],
    ['a quote of SGX', 'REPORT_UNSUPPORTED', { version: 3 }, (quote) => quote],
    ['a quote of a version to come', 'REPORT_UNSUPPORTED', {}, (quote) => Uint8Array.from(quote).with(0, 6)],
    ['a quote that breaks off', 'REPORT_MALFORMED', {}, (quote) => quote.subarray(0, 631)],
  ])('refuses %s', async (_what, code, options, change) => {
    await expect(evidenceFor(attesterWith(options, change), reportData)).rejects.toMatchObject({ code });
  });

  it('compares init data with MRCONFIGID, as the server does', async () => {
    const attester = attesterWith({ td: { mrConfigId: digest } });
    expect(await attester.bindInitData(digest)).toEqual({ result: 'bound' });
    await expect(claimsOf(attester, { initDataDigest: digest })).resolves.toBeDefined();
    expect(await attester.bindInitData(digest.with(47, 0))).toMatchObject({ result: 'mismatch' });
    expect(await attesterWith().bindInitData(digest)).toMatchObject({ result: 'mismatch' });
  });
});

describe('readTdQuoteFields', () => {
  it('throws nothing but its own error for a quote cut anywhere', async () => {
    const quote = await intel.quote({ version: 5 });
    for (let length = 0; length < 48 + 6 + 584; length++)
      expect(() => readTdQuoteFields(quote.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'REPORT_MALFORMED' }),
      );
    expect(() => readTdQuoteFields(quote.subarray(0, 48 + 6 + 584))).not.toThrow();
  });
});

function digestOf(event: string): Uint8Array {
  return createHash('sha384').update(event).digest();
}
