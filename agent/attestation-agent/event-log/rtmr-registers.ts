import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { join } from 'node:path';
import { readBounded } from '../bounded-file.ts';
import { systemErrorCode } from '../system-error.ts';
import { registerBytes } from './aael-event.ts';
import type { MeasurementRegisters } from './measurement-registers.ts';
import { RuntimeMeasurementError } from './runtime-measurement-error.ts';

/** Linux 6.16 and later (Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest). */
export const TDX_MEASUREMENTS_FOLDER = '/sys/devices/virtual/misc/tdx_guest/measurements';
const BYTES = registerBytes('sha384');
const REGISTERS = [1, 2, 3, 4] as const;

/**
 * The run-time measurement registers of a TDX guest. Logs number them from 1 (RTMR0) to 4 (RTMR3), as MRTD is 0.
 * `undefined` where the kernel does not show them, or does not let us extend them: then nothing can be measured, which is
 * to be said and not passed over.
 */
export async function findRtmrRegisters(
  folder = TDX_MEASUREMENTS_FOLDER,
): Promise<MeasurementRegisters | undefined> {
  try {
    await access(fileOf(folder, registerOfPcr(17)), constants.R_OK | constants.W_OK);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
  return createRtmrRegisters(folder);
}

export function createRtmrRegisters(folder = TDX_MEASUREMENTS_FOLDER): MeasurementRegisters {
  return {
    hash: 'sha384',
    registerOf: registerOfPcr,
    async read(register) {
      const bytes = await refusing('REGISTER_UNAVAILABLE', async () => {
        return await readBounded(fileOf(folder, register), BYTES);
      });
      if (bytes.byteLength === BYTES) return bytes;
      throw new RuntimeMeasurementError(
        'REGISTER_UNAVAILABLE',
        `expected ${BYTES} bytes in a measurement register, got ${bytes.byteLength}`,
      );
    },
    async extend(register, digest) {
      await refusing('REGISTER_FAILED', async () => {
        // One write of all bytes extends; without O_CREAT, since a register that is not there must not become a file.
        const file = await open(fileOf(folder, register), constants.O_WRONLY);
        try {
          await file.write(digest);
        } finally {
          await file.close();
        }
      });
    },
  };
}

/**
 * Intel TDX Virtual Firmware Design Guide, "Measurement Register": PCR 1 and 7 → RTMR0, 2 to 6 → RTMR1, 8 to 15 → RTMR2. All
 * others, among them 16 and up, which firmware leaves alone, → RTMR3.
 */
function registerOfPcr(pcr: number): number {
  if (!Number.isSafeInteger(pcr) || pcr < 0) {
    throw new RuntimeMeasurementError('REGISTER_UNKNOWN', `expected the number of a PCR, got ${pcr}`);
  }
  if (pcr === 1 || pcr === 7) return 1;
  if (pcr >= 2 && pcr <= 6) return 2;
  if (pcr >= 8 && pcr <= 15) return 3;
  return 4;
}

function fileOf(folder: string, register: number): string {
  if (REGISTERS.some((each) => each === register)) return join(folder, `rtmr${register - 1}:sha384`);
  throw new RuntimeMeasurementError('REGISTER_UNKNOWN', `expected register 1 to 4, got ${register}`);
}

async function refusing<T>(
  code: 'REGISTER_UNAVAILABLE' | 'REGISTER_FAILED',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const system = systemErrorCode(cause);
    if (system === undefined) throw cause;
    const isAbsent = system === 'ENOENT';
    throw new RuntimeMeasurementError(
      isAbsent ? 'REGISTER_UNAVAILABLE' : code,
      `expected the kernel to serve the measurement register, got ${system}`,
      { cause },
    );
  }
}
