import { bytesEqual, isFilledWith } from '../../../../server/bytes/byte-strings.ts';
import { extended } from '../../event-log/aael-event.ts';
import { InitDataError } from '../../init-data.ts';
import type { InitDataBinding } from '../../init-data-binding.ts';
import { extendPcr, INIT_DATA_PCR, readPcr } from './pcr-registers.ts';
import type { TpmTools } from './tpm-tools.ts';

const PCR_BYTES = 32;

/**
 * Measures the init data digest into PCR 8, once: a second time, after this agent was started again, would change what
 * servers compare. What somebody else measured there before is a mismatch, since it cannot be taken back.
 * Throws InitDataError INIT_DATA_DIGEST_SIZE: an extension takes 32 bytes, and servers do not compare digests cut to them.
 */
export async function bindByPcr(tools: TpmTools, digest: Uint8Array): Promise<InitDataBinding> {
  if (digest.byteLength !== PCR_BYTES) {
    throw new InitDataError(
      'INIT_DATA_DIGEST_SIZE',
      `expected init data with a digest of ${PCR_BYTES} bytes, as a PCR takes it (sha256 or sm3), got ${digest.byteLength}`,
    );
  }
  const before = await readPcr(tools, INIT_DATA_PCR);
  const after = extended(new Uint8Array(PCR_BYTES), digest, 'sha256');
  if (isFilledWith(before, 0)) await extendPcr(tools, INIT_DATA_PCR, digest);
  if (bytesEqual(await readPcr(tools, INIT_DATA_PCR), after)) return { result: 'bound' };
  return {
    result: 'mismatch',
    reason: `expected PCR ${INIT_DATA_PCR} to hold the init data digest alone, got another value`,
  };
}
