import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetadataService } from '../../../../agent/attestation-agent/attesters/azure/metadata-service.ts';
import {
  type OpenAttesterOptions,
  type OpenedAttester,
  openAttester,
} from '../../../../agent/attestation-agent/attesters/open-attester.ts';
import { createTpmTools } from '../../../../agent/attestation-agent/attesters/tpm/tpm-tools.ts';
import { createTsmReporter } from '../../../../agent/attestation-agent/attesters/tsm/tsm-report.ts';
import { evidenceFor } from '../../../../agent/attestation-agent/evidence-provider.ts';
import { type FakeTsmOptions, fakeConfigfsTsm } from '../../../fakes/fake-configfs-tsm.ts';
import { encodeFakeReport, fakeReport, inField } from '../../../fakes/snp-report.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-open-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const event = { domain: 'domain', operation: 'operation', content: 'content' };

async function open(
  tee: string,
  tsm: FakeTsmOptions = {},
  options: Partial<OpenAttesterOptions> = {},
  enabled = true,
): Promise<OpenedAttester> {
  return await openAttester(tee, {
    reporter: createTsmReporter({ fileSystem: fakeConfigfsTsm(tsm).fileSystem }),
    tpmTools: createTpmTools({ tcti: 'none', searchPath: folder, folder }),
    metadata: createMetadataService(),
    rtmrFolder: folder,
    sevGuestDevice: join(folder, 'sev-guest'),
    firmwareLogPath: join(folder, 'CCEL'),
    eventLog: {
      enabled,
      defaultPcr: 17,
      logPath: join(folder, 'eventlog'),
      writeAheadPath: join(folder, 'entry'),
    },
    ...options,
  });
}

const snpReport = (data: Uint8Array): Uint8Array =>
  encodeFakeReport({ ...fakeReport('Milan', 3), report_data: inField(64, data) }, 'Milan');

describe('openAttester', () => {
  it.each([
    ['tdx', { provider: 'tdx_guest' }],
    ['snp', { provider: 'sev_guest' }],
    ['cca', { provider: 'arm_cca_guest' }],
    ['az-snp-vtpm', {}],
    ['az-tdx-vtpm', {}],
    ['tpm', {}],
    ['sample', {}],
  ])('opens %s', async (tee, tsm) => {
    expect((await open(tee, tsm)).attester.tee).toBe(tee);
  });

  it('A20: takes SNP reports from configfs-tsm, with the certificates of the host', async () => {
    const { attester } = await open('snp', {
      provider: 'sev_guest',
      hasAuxblob: true,
      report: (data) => ({ outblob: snpReport(data), auxblob: new Uint8Array(24) }),
    });
    const evidence = await evidenceFor(attester, new Uint8Array(64).fill(3));
    expect(evidence).toMatchObject({ attestation_report: { version: 3 }, cert_chain: null });
  });

  it('takes them from the device where there is no configfs-tsm, and says so where there is neither', async () => {
    await expect(open('snp')).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    await writeFile(join(folder, 'sev-guest'), '');
    const { attester } = await open('snp');
    await expect(evidenceFor(attester, new Uint8Array(64))).rejects.toMatchObject({ code: 'DEVICE_FAILED' });
  });

  it.each([
    ['tdx on a kernel without configfs-tsm', 'tdx', {}, 'TSM_UNAVAILABLE'],
    ['tdx on a machine of AMD', 'tdx', { provider: 'sev_guest' }, 'TSM_UNAVAILABLE'],
    ['A20: a TEE without an attester', 'sgx', {}, 'TEE_UNSUPPORTED'],
    ['a TEE that nobody knows', 'toString', {}, 'TEE_UNKNOWN'],
  ])('refuses %s at the start', async (_what, tee, tsm, code) => {
    await expect(open(tee, tsm)).rejects.toMatchObject({ code });
  });

  it.each([
    ['snp', { provider: 'sev_guest' }],
    ['cca', { provider: 'arm_cca_guest' }],
    ['sample', {}],
    ['tdx', { provider: 'tdx_guest' }],
  ])('A3: of %s without registers, says that events are not supported, and attests', async (tee, tsm) => {
    const { measurement } = await open(tee, tsm);
    expect(await measurement.extend(event)).toBe('not-supported');
    const { measurement: disabled } = await open(tee, tsm, {}, false);
    expect(await disabled.extend(event)).toBe('not-enabled');
  });

  it.each(['tpm', 'az-snp-vtpm', 'az-tdx-vtpm'])('A5, A6: of %s, measures with the TPM', async (tee) => {
    const { measurement } = await open(tee);
    // The tools are not there, which is what the attempt fails with.
    await expect(measurement.extend(event)).rejects.toMatchObject({ code: 'REGISTER_UNAVAILABLE' });
    await expect(measurement.extend({ ...event, registerIndex: 8 })).rejects.toMatchObject({
      code: 'REGISTER_RESERVED',
    });
  });

  it('does not claim to bind init data with the sample', async () => {
    const { attester } = await open('sample');
    expect(await attester.bindInitData(new Uint8Array(48))).toMatchObject({ result: 'unsupported' });
  });
});
