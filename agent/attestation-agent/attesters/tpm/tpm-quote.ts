import { toHex } from '../../../../server/bytes/encoding.ts';
import { AttesterError } from '../attester-error.ts';
import type { SigningScheme } from './signing-scheme.ts';
import type { TpmTools } from './tpm-tools.ts';

/** A quote of all 24 PCRs of the SHA-256 bank. */
export interface TpmQuoteParts {
  /** TPMS_ATTEST. */
  readonly message: Uint8Array;
  /** TPMT_SIGNATURE, or what the algorithm writes, as was asked for. */
  readonly signature: Uint8Array;
  /** By number, 32 bytes each. */
  readonly pcrs: readonly Uint8Array[];
}

export interface TpmQuoteRequest {
  /** Handle of the attestation key, hexadecimal: `0x81010002`. */
  readonly keyHandle: string;
  /** What the TPM signs besides: at most as many bytes as its largest digest and two, 34 to 66. */
  readonly extraData: Uint8Array;
  readonly scheme: SigningScheme;
  /** `tss`: TPMT_SIGNATURE; `plain`: of an RSA key the bytes of its signature. */
  readonly signatureForm: 'tss' | 'plain';
}

const PCR_COUNT = 24;
const PCR_BYTES = 32;

/** TPM2_Quote over the SHA-256 bank. Throws AttesterError TPM_FAILED, TPM_TOOLS_UNAVAILABLE, TPM_DEADLINE_EXCEEDED. */
export async function quotePcrs(tools: TpmTools, request: TpmQuoteRequest): Promise<TpmQuoteParts> {
  const { keyHandle, extraData, signatureForm, scheme } = request;
  return await tools.task(async (task) => {
    const message = await task.output('message');
    const signature = await task.output('signature');
    const values = await task.output('values');
    const nonce = extraData.byteLength === 0 ? [] : ['-q', toHex(extraData)];
    const files = ['-m', message, '-s', signature, '-f', signatureForm, '-o', values, '-F', 'values'];
    const kind = ['--scheme', scheme.scheme, '-g', scheme.hash];
    await task.run('quote', '-c', keyHandle, '-l', 'sha256:all', ...kind, ...nonce, ...files);
    return {
      message: await task.read(message),
      signature: await task.read(signature),
      pcrs: splitValues(await task.read(values)),
    };
  });
}

function splitValues(values: Uint8Array): readonly Uint8Array[] {
  if (values.byteLength !== PCR_COUNT * PCR_BYTES) {
    throw new AttesterError(
      'TPM_FAILED',
      `expected ${PCR_COUNT} PCRs of SHA-256 from the TPM, got ${values.byteLength} bytes`,
    );
  }
  return Array.from({ length: PCR_COUNT }, (_pcr, index) =>
    values.subarray(index * PCR_BYTES, (index + 1) * PCR_BYTES),
  );
}
