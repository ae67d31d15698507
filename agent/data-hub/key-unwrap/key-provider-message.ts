import { z } from 'zod';
import { fromBase64, fromUtf8, toBase64, toUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { KeyUnwrapError } from './key-unwrap-error.ts';

/**
 * How the unwrapped key is written: `integers` is what ocicrypt-rs reads, `base64` what Go's ocicrypt reads. The request
 * does not tell which of them asks.
 */
export type UnwrappedKeyForm = 'integers' | 'base64';

const MAX_BYTES = 1 << 20;

/** Go writes bytes as base64, ocicrypt-rs wrote them as a list of integers before. */
const bytes = z.union([z.string(), z.array(z.int().min(0).max(255))]);
/** Of the key provider protocol of ocicrypt. What configures the decryption (`dc`) is the guest's own business. */
const inputSchema = z.object({
  op: z.string(),
  keyunwrapparams: z.object({ annotation: bytes }),
});
const operationSchema = z.object({ op: z.string() });

/**
 * The annotation packet that is to be unwrapped. Throws KeyUnwrapError KEY_UNWRAP_INPUT_MALFORMED,
 * KEY_UNWRAP_OPERATION_UNSUPPORTED for what is not `keyunwrap`.
 */
export function parseKeyUnwrapInput(input: Uint8Array): Uint8Array {
  const document = readDocument(input);
  const operation = operationSchema.safeParse(document);
  if (operation.success && operation.data.op !== 'keyunwrap') {
    throw new KeyUnwrapError(
      'KEY_UNWRAP_OPERATION_UNSUPPORTED',
      `expected the operation keyunwrap, got '${operation.data.op.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 32)}'`,
    );
  }
  const parsed = inputSchema.safeParse(document);
  if (!parsed.success) throw malformed("'op' and 'keyunwrapparams' with an 'annotation'");
  return bytesOf(parsed.data.keyunwrapparams.annotation);
}

export function keyUnwrapOutput(key: Uint8Array, form: UnwrappedKeyForm): Uint8Array {
  const optsdata = form === 'base64' ? toBase64(key) : [...key];
  return toUtf8(JSON.stringify({ keyunwrapresults: { optsdata } }));
}

function bytesOf(value: z.output<typeof bytes>): Uint8Array {
  if (typeof value !== 'string') return Uint8Array.from(value);
  try {
    return fromBase64(value);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed("an 'annotation' in padded base64");
  }
}

function readDocument(input: Uint8Array): unknown {
  if (input.byteLength > MAX_BYTES) throw malformed(`at most ${MAX_BYTES} bytes`);
  try {
    return parseJson(fromUtf8(input));
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed('JSON');
  }
}

function malformed(expected: string): KeyUnwrapError {
  return new KeyUnwrapError(
    'KEY_UNWRAP_INPUT_MALFORMED',
    `key provider input: expected ${expected}, got something else`,
  );
}
