import { fromBase64 } from '../../server/bytes/encoding.ts';
import { CodedError, isCodedError } from '../../server/errors/coded-error.ts';
import type { Attester } from './attesters/attester.ts';
import { InitDataError, parseInitData } from './init-data.ts';

export type InitDataBindingErrorCode = 'INIT_DATA_MISMATCH' | 'INIT_DATA_BINDING_UNSUPPORTED';

/** Init data is not what this guest was launched with, or nothing here can tell. */
export class InitDataBindingError extends CodedError<InitDataBindingErrorCode> {}

/** What the launcher of this guest gave the agent. The text wins, because its digest is computed here. */
export interface GivenInitData {
  readonly text?: string | undefined;
  /** Base64 in the standard alphabet. */
  readonly digest?: string | undefined;
}

/** SHA-512 is the longest of the algorithms. */
const MAX_DIGEST_BYTES = 64;

/**
 * Has the TEE check the digest of the init data. Throws InitDataBindingError INIT_DATA_MISMATCH,
 * INIT_DATA_BINDING_UNSUPPORTED where the TEE has no field for it; InitDataError; what the attester throws.
 */
export async function bindInitData(attester: Attester, digest: Uint8Array): Promise<void> {
  if (digest.byteLength === 0 || digest.byteLength > MAX_DIGEST_BYTES) {
    throw new InitDataError(
      'INIT_DATA_DIGEST_SIZE',
      `expected an init data digest of 1 to ${MAX_DIGEST_BYTES} bytes, got ${digest.byteLength}`,
    );
  }
  const binding = await attester.bindInitData(digest);
  switch (binding.result) {
    case 'bound':
      return;
    case 'mismatch':
      throw new InitDataBindingError('INIT_DATA_MISMATCH', binding.reason);
    case 'unsupported':
      throw new InitDataBindingError('INIT_DATA_BINDING_UNSUPPORTED', binding.reason);
  }
}

/**
 * Binds what was given at the start, and answers its text for those who verify it. A TEE without a field for it is told
 * to `warn`: servers then see the text and no proof. Throws as bindInitData otherwise.
 */
export async function bindGivenInitData(
  attester: Attester,
  { text, digest }: GivenInitData,
  warn: (message: string) => void,
): Promise<string | undefined> {
  if (text === undefined && digest === undefined) return undefined;
  try {
    await bindInitData(attester, text === undefined ? readDigest(digest ?? '') : parseInitData(text).digest);
  } catch (error) {
    if (!(error instanceof InitDataBindingError) || error.code !== 'INIT_DATA_BINDING_UNSUPPORTED')
      throw error;
    warn(`the init data is not proven: ${error.message}`);
  }
  return text;
}

function readDigest(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new InitDataError(
      'INIT_DATA_MALFORMED',
      'expected the init data digest in base64, got other text',
      {
        cause,
      },
    );
  }
}
