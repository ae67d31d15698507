import { toHex } from '../../../../server/bytes/encoding.ts';
import type { MeasurementRegisters } from '../../event-log/measurement-registers.ts';
import { RuntimeMeasurementError } from '../../event-log/runtime-measurement-error.ts';
import { AttesterError } from '../attester-error.ts';
import type { TpmTools } from './tpm-tools.ts';

const PCR_COUNT = 24;
const PCR_BYTES = 32;
/** Holds the init data digest and nothing else: servers compare it so. */
export const INIT_DATA_PCR = 8;
/** Of a dynamic launch: extended by nobody who speaks to the TPM as an operating system does (PC Client Platform TPM Profile). */
const DYNAMIC_PCRS = { first: 17, last: 22 } as const;

/** The PCRs of a TPM, SHA-256 bank. Logs give them their own numbers. */
export function createPcrRegisters(tools: TpmTools): MeasurementRegisters {
  return {
    hash: 'sha256',
    registerOf(pcr) {
      if (!Number.isSafeInteger(pcr) || pcr < 0 || pcr >= PCR_COUNT) {
        throw new RuntimeMeasurementError(
          'REGISTER_UNKNOWN',
          `expected a PCR of 0 to ${PCR_COUNT - 1}, got ${pcr}`,
        );
      }
      if (pcr === INIT_DATA_PCR) {
        throw new RuntimeMeasurementError(
          'REGISTER_RESERVED',
          `expected an event for another PCR, got ${pcr}, which holds the init data digest alone`,
        );
      }
      return pcr;
    },
    read: async (pcr) => await refusing('REGISTER_UNAVAILABLE', pcr, async () => await readPcr(tools, pcr)),
    extend: async (pcr, digest) => {
      await refusing('REGISTER_FAILED', pcr, async () => {
        await extendPcr(tools, pcr, digest);
      });
    },
  };
}

/** Throws AttesterError TPM_… */
export async function readPcr(tools: TpmTools, pcr: number): Promise<Uint8Array> {
  return await tools.task(async (task) => {
    await task.run('pcrread', `sha256:${pcr}`, '-o', await task.output('value'));
    const value = await task.read('value');
    if (value.byteLength === PCR_BYTES) return value;
    throw new AttesterError(
      'TPM_FAILED',
      `expected ${PCR_BYTES} bytes of PCR ${pcr}, got ${value.byteLength}`,
    );
  });
}

/** Throws AttesterError TPM_… */
export async function extendPcr(tools: TpmTools, pcr: number, digest: Uint8Array): Promise<void> {
  await tools.task(async (task) => {
    await task.run('pcrextend', `${pcr}:sha256=${toHex(digest)}`);
  });
}

async function refusing<T>(
  code: 'REGISTER_UNAVAILABLE' | 'REGISTER_FAILED',
  pcr: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof AttesterError)) throw cause;
    const isDynamic = pcr >= DYNAMIC_PCRS.first && pcr <= DYNAMIC_PCRS.last;
    const hint = isDynamic ? `; PCR ${pcr} belongs to dynamic launches, 16 and 23 are free` : '';
    throw new RuntimeMeasurementError(code, `PCR ${pcr}: ${cause.message}${hint}`, { cause });
  }
}
