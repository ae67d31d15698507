import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../system-error.ts';

/** With the resource manager of the kernel first: it keeps several users of one TPM apart. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpmrm1', '/dev/tpmrm2', '/dev/tpm0', '/dev/tpm1', '/dev/tpm2'] as const;

/**
 * The first TPM that this user may read and write; that which `AA_TPM_DEVICE` names and no other, where it is set. Below
 * `root` it is looked for, but named without it.
 */
export async function findTpmDevice(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const { AA_TPM_DEVICE: configured } = env;
  for (const device of configured === undefined ? DEVICES : [configured]) {
    if (await isUsable(join(root, device))) return device;
  }
  return undefined;
}

async function isUsable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return false;
  }
}
