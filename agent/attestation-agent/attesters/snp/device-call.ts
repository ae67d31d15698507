import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { systemErrorCode } from '../../system-error.ts';
import { AttesterError } from '../attester-error.ts';

/** One ioctl(2) with a structure. The kernel may write into it. Answers 0, or the errno. */
export type DeviceCall = (request: number, argument: Uint8Array) => Promise<number>;

/** Of a buffer, for structures that point to others. It stays there as long as it is in use. */
export type AddressOf = (bytes: Uint8Array) => bigint;

export interface OpenDevice {
  readonly call: DeviceCall;
  readonly addressOf: AddressOf;
}

/** What we take of koffi, which is loaded only where a device is called: configfs-tsm needs none of this. */
interface Koffi {
  load(path: null): {
    func(definition: string): {
      async(
        descriptor: number,
        request: number,
        argument: Uint8Array,
        done: (error: Error | null, answer: number) => void,
      ): void;
    };
  };
  address(bytes: Uint8Array): bigint;
  errno(): number;
}

/**
 * Runs `work` with a device of the kernel. Throws AttesterError DEVICE_UNAVAILABLE, DEVICE_CALLS_UNAVAILABLE where the optional
 * package koffi is not installed.
 */
export async function withDevice<T>(path: string, work: (device: OpenDevice) => Promise<T>): Promise<T> {
  const koffi = loadKoffi();
  const ioctl = koffi.load(null).func('int ioctl(int descriptor, unsigned long request, void *argument)');
  const file = await openDevice(path);
  try {
    return await work({
      addressOf: (bytes) => koffi.address(bytes),
      // On a thread of its own: the host may let a guest wait for a minute.
      call: async (request, argument) =>
        await new Promise((resolve, reject) => {
          ioctl.async(file.fd, request, argument, (error, answer) => {
            if (error !== null) reject(error);
            else resolve(answer === -1 ? koffi.errno() : 0);
          });
        }),
    });
  } finally {
    await file.close();
  }
}

function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new AttesterError(
      'DEVICE_CALLS_UNAVAILABLE',
      'expected the package koffi, which calls devices of kernels before 6.7, got none: install it, or a kernel with configfs-tsm',
      { cause },
    );
  }
}

async function openDevice(path: string): ReturnType<typeof open> {
  try {
    return await open(path, constants.O_RDWR);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw new AttesterError('DEVICE_UNAVAILABLE', `expected to open the device, got ${code}`, { cause });
  }
}
