import { join } from 'node:path';
import type { Environment } from '../../config/load-config.ts';
import { AttesterError } from './attester-error.ts';
import { type Detection, detectTees } from './detect.ts';
import type { OpenAttesterOptions } from './open-attester.ts';
import { findTpmDevice } from './tpm/tpm-device.ts';
import type { TpmTools } from './tpm/tpm-tools.ts';
import { createTsmReporter, TSM_FOLDER, type TsmReporter } from './tsm/tsm-report.ts';

export interface GuestHardwareOptions {
  /** Where the file system of this guest begins: `/`. */
  readonly root: string;
  readonly env: Environment;
  /** As `process.arch` has it. */
  readonly architecture: string;
  /** As `AA_TPM_AK_HANDLE` has it, which is what counts where this is undefined. */
  readonly tpmKeyHandle: string | undefined;
}

/** The ways to the hardware of this guest, each opened when it is first needed. */
export interface GuestHardware {
  detect(sample: SampleChoice): Promise<Detection>;
  readonly ways: Omit<OpenAttesterOptions, 'eventLog'>;
}

/** Evidence that anybody can make, where the configuration asks for it. */
export interface SampleChoice {
  readonly attester: boolean;
  readonly device: boolean;
}

/** Nothing is looked at yet. */
export function guestHardware(options: GuestHardwareOptions): GuestHardware {
  const { root, env, architecture } = options;
  const reporter: TsmReporter = createTsmReporter({ folder: join(root, TSM_FOLDER) });
  const tpmKeyHandle = options.tpmKeyHandle ?? env['AA_TPM_AK_HANDLE'];
  return {
    detect: async (sample) =>
      await detectTees({
        root,
        env,
        architecture,
        reporter,
        readHclType: async (device) => {
          const { readStoredReport } = await import('./azure/hcl-report-index.ts');
          return (await readStoredReport(await openTools(device))).type;
        },
        dangerouslyAttestAsSample: sample.attester,
        dangerouslyAttestWithSampleDevice: sample.device,
      }),
    ways: {
      reporter,
      tpmTools: laterTools(async () => await openTools(await tpmDevice(root, env))),
      ...(tpmKeyHandle !== undefined && { tpmKeyHandle }),
      metadata: {
        vcek: async () => await (await openMetadata()).vcek(),
        tdQuote: async (tdReport) => await (await openMetadata()).tdQuote(tdReport),
      },
    },
  };
}

async function tpmDevice(root: string, env: Environment): Promise<string> {
  const device = await findTpmDevice(root, env);
  if (device !== undefined) return device;
  throw new AttesterError('DEVICE_UNAVAILABLE', 'expected a TPM that this user may open, got none');
}

async function openTools(device: string): Promise<TpmTools> {
  const { createTpmTools } = await import('./tpm/tpm-tools.ts');
  return createTpmTools({ tcti: `device:${device}` });
}

/** One for all that use it, because it sees to it that they take turns. */
function laterTools(open: () => Promise<TpmTools>): TpmTools {
  let tools: Promise<TpmTools> | undefined;
  return { task: async (work) => await (await (tools ??= open())).task(work) };
}

async function openMetadata(): Promise<OpenAttesterOptions['metadata']> {
  const { createMetadataService } = await import('./azure/metadata-service.ts');
  return createMetadataService();
}
