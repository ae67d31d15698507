import { access } from 'node:fs/promises';
import type { DurableFiles } from '../event-log/durable-files.ts';
import type { MeasurementRegisters } from '../event-log/measurement-registers.ts';
import { findRtmrRegisters } from '../event-log/rtmr-registers.ts';
import { openRuntimeMeasurement, type RuntimeMeasurement } from '../event-log/runtime-measurement.ts';
import { systemErrorCode } from '../system-error.ts';
import type { Attester } from './attester.ts';
import { AttesterError } from './attester-error.ts';
import type { MetadataService } from './azure/metadata-service.ts';
import type { RequestSnpReport } from './snp/snp-attester.ts';
import type { TpmTools } from './tpm/tpm-tools.ts';
import type { TsmReporter } from './tsm/tsm-report.ts';

export interface OpenAttesterOptions {
  readonly reporter: TsmReporter;
  /** Opened only by the TEEs that have a TPM. */
  readonly tpmTools: TpmTools;
  readonly tpmKeyHandle?: string;
  readonly tpmKeyCertificates?: readonly Uint8Array[];
  readonly metadata: MetadataService;
  readonly sevGuestDevice?: string;
  readonly firmwareLogPath?: string;
  readonly rtmrFolder?: string;
  readonly eventLog: EventLogOptions;
}

export interface EventLogOptions {
  readonly enabled: boolean;
  readonly defaultPcr: number;
  readonly logPath?: string;
  readonly writeAheadPath?: string;
  readonly files?: DurableFiles;
}

export interface OpenedAttester {
  readonly attester: Attester;
  readonly measurement: RuntimeMeasurement;
}

type CreateAttester = (
  options: OpenAttesterOptions,
  measurement: RuntimeMeasurement,
) => Attester | Promise<Attester>;

interface Row {
  readonly registers?: (options: OpenAttesterOptions) => Promise<MeasurementRegisters | undefined>;
  readonly create: CreateAttester;
}

/** TEEs that are known, and detected, but that this agent has no attester for. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['sgx', 'csv', 'se']);

/** Modules are loaded for the TEE that the guest runs in, not for the others. */
const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['tdx', { registers: rtmrRegisters, create: createTdx }],
  ['snp', { create: createSnp }],
  ['cca', { create: createCca }],
  ['az-snp-vtpm', { registers: pcrRegisters, create: createAzSnp }],
  ['az-tdx-vtpm', { registers: pcrRegisters, create: createAzTdx }],
  ['tpm', { registers: pcrRegisters, create: createTpm }],
  ['sample', { create: createSample }],
]);

/**
 * The attester of a TEE with the log of what is measured while the guest runs. `sample` has to come from a configuration that
 * says so: detection never answers with it otherwise. Throws AttesterError TEE_UNKNOWN, TEE_UNSUPPORTED, TSM_UNAVAILABLE,
 * DEVICE_UNAVAILABLE; RuntimeMeasurementError.
 */
export async function openAttester(tee: string, options: OpenAttesterOptions): Promise<OpenedAttester> {
  const row = ROWS.get(tee);
  if (row === undefined) throw noAttester(tee);
  const registers = options.eventLog.enabled ? await row.registers?.(options) : undefined;
  const measurement = await openRuntimeMeasurement({ ...options.eventLog, registers });
  return { attester: await row.create(options, measurement), measurement };
}

function noAttester(tee: string): AttesterError {
  if (UNSUPPORTED.has(tee)) {
    return new AttesterError('TEE_UNSUPPORTED', `expected a TEE that this agent attests, got '${tee}'`);
  }
  return new AttesterError('TEE_UNKNOWN', `expected the name of a TEE, got '${tee.slice(0, 64)}'`);
}

async function rtmrRegisters({ rtmrFolder }: OpenAttesterOptions): Promise<MeasurementRegisters | undefined> {
  return await findRtmrRegisters(rtmrFolder);
}

async function pcrRegisters({ tpmTools }: OpenAttesterOptions): Promise<MeasurementRegisters> {
  const { createPcrRegisters } = await import('./tpm/pcr-registers.ts');
  return createPcrRegisters(tpmTools);
}

/** The device alone, of kernels before 6.7, gives reports that only its own machine can verify: no quotes. */
async function createTdx(options: OpenAttesterOptions, log: RuntimeMeasurement): Promise<Attester> {
  const { reporter, firmwareLogPath } = options;
  const provider = await reporter.provider();
  if (provider !== 'tdx_guest') {
    throw new AttesterError(
      'TSM_UNAVAILABLE',
      `expected configfs-tsm with tdx_guest for quotes (Linux 6.7 and later, configfs mounted), got ${provider ?? 'none'}`,
    );
  }
  const { createTdxAttester } = await import('./tdx/tdx-attester.ts');
  return createTdxAttester({ reporter, log, ...(firmwareLogPath !== undefined && { firmwareLogPath }) });
}

async function createSnp(options: OpenAttesterOptions): Promise<Attester> {
  const { createSnpAttester } = await import('./snp/snp-attester.ts');
  return createSnpAttester(await chooseSnpReports(options));
}

async function chooseSnpReports({
  reporter,
  sevGuestDevice,
}: OpenAttesterOptions): Promise<RequestSnpReport> {
  if ((await reporter.provider()) === 'sev_guest') {
    return async (reportData) => {
      const { outblob, auxblob } = await reporter.report({ provider: 'sev_guest', reportData });
      return { report: outblob, certificateTable: auxblob };
    };
  }
  const { createSevGuestDevice, SEV_GUEST_DEVICE } = await import('./snp/sev-guest-device.ts');
  const path = sevGuestDevice ?? SEV_GUEST_DEVICE;
  await requireDevice(path);
  return createSevGuestDevice(path);
}

async function requireDevice(path: string): Promise<void> {
  try {
    await access(path);
  } catch (cause) {
    throw new AttesterError(
      'DEVICE_UNAVAILABLE',
      `expected configfs-tsm with sev_guest, or the device sev-guest, got ${systemErrorCode(cause) ?? 'neither'}`,
      { cause },
    );
  }
}

async function createCca({ reporter }: OpenAttesterOptions): Promise<Attester> {
  const { createCcaAttester } = await import('./cca/cca-attester.ts');
  return createCcaAttester(reporter);
}

async function createAzSnp({ tpmTools: tools, metadata }: OpenAttesterOptions): Promise<Attester> {
  const { createAzSnpVtpmAttester } = await import('./azure/azure-attester.ts');
  return createAzSnpVtpmAttester({ tools, metadata });
}

async function createAzTdx({ tpmTools: tools, metadata }: OpenAttesterOptions): Promise<Attester> {
  const { createAzTdxVtpmAttester } = await import('./azure/azure-attester.ts');
  return createAzTdxVtpmAttester({ tools, metadata });
}

async function createTpm(options: OpenAttesterOptions, log: RuntimeMeasurement): Promise<Attester> {
  const { tpmTools: tools, tpmKeyHandle: keyHandle, tpmKeyCertificates: keyCertificates } = options;
  const { createTpmAttester } = await import('./tpm/tpm-attester.ts');
  return createTpmAttester({
    tools,
    log,
    ...(keyHandle !== undefined && { keyHandle }),
    ...(keyCertificates !== undefined && { keyCertificates }),
  });
}

async function createSample(): Promise<Attester> {
  const { sampleAttester } = await import('./sample/sample-attester.ts');
  return {
    ...sampleAttester,
    bindInitData: async () => ({
      result: 'unsupported',
      reason: 'sample evidence has no field for init data',
    }),
  };
}
