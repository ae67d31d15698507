import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fromBase64Url, fromHex, fromUtf8 } from '../bytes/encoding.ts';
import { isCodedError } from '../errors/coded-error.ts';
import { parseJson } from '../json/strict-json.ts';
import { type AttestationKey, toAttestationKey } from './attestation-key.ts';
import { TpmError } from './tpm-error.ts';

/** The name of the attestation key among the keys. */
const ATTESTATION_KEY = 'HCLAkPub';
const MAX_KEYS = 16;
const USER_DATA_BYTES = 64;

/** What of the variable data we read; there is more, and there will be. */
const schema = z.object({
  keys: z
    .array(
      z.object({
        kid: z.string(),
        kty: z.string(),
        key_ops: z.array(z.string()).optional(),
        n: z.string().optional(),
        e: z.string().optional(),
      }),
    )
    .max(MAX_KEYS),
  'user-data': z.string().optional(),
});
type HclKey = z.infer<typeof schema>['keys'][number];

/** What the hardware report vouches for. */
export interface HclVariableData {
  /** The key of the vTPM that signs quotes. */
  readonly attestationKey: AttestationKey;
  /** 64 bytes that the guest chose, zero when it chose none; `undefined` before there were any. */
  readonly userData: Uint8Array | undefined;
}

/**
 * Reads the variable data of an HCL report: JSON with the public keys of the vTPM (RFC 7517) and the guest's user data.
 * Throws TpmError HCL_VARIABLE_DATA_MALFORMED, TPM_KEY_UNSUITABLE.
 */
export function readHclVariableData(text: Uint8Array): HclVariableData {
  try {
    const { keys, 'user-data': userData } = schema.parse(parseJson(fromUtf8(text)));
    return {
      attestationKey: toAttestationKey(readKey(keys)),
      userData: userData === undefined ? undefined : readUserData(userData),
    };
  } catch (cause) {
    if (cause instanceof TpmError) throw cause;
    if (!isCodedError(cause) && !(cause instanceof z.ZodError)) throw cause;
    throw malformed('JSON with the keys of the vTPM', 'something else', cause);
  }
}

function readKey(keys: readonly HclKey[]): KeyObject {
  const [key, ...others] = keys.filter(({ kid }) => kid === ATTESTATION_KEY);
  if (key === undefined || others.length > 0) {
    throw malformed(`one key named ${ATTESTATION_KEY}`, key === undefined ? 'none' : `${others.length + 1}`);
  }
  const { kty, key_ops: operations = ['sign'], n = '', e = '' } = key;
  if (kty !== 'RSA' || !operations.includes('sign')) {
    throw malformed(`${ATTESTATION_KEY} as an RSA key for signatures`, 'another');
  }
  return toRsaKey(n, e);
}

/** The texts are decoded before, since `node:crypto` passes over what is not base64url. */
function toRsaKey(n: string, e: string): KeyObject {
  fromBase64Url(n);
  fromBase64Url(e);
  try {
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e } });
  } catch (cause) {
    throw malformed(`${ATTESTATION_KEY} as an RSA public key`, 'something else', cause);
  }
}

function readUserData(hex: string): Uint8Array {
  const userData = fromHex(hex);
  if (userData.byteLength === USER_DATA_BYTES) return userData;
  throw malformed(`${USER_DATA_BYTES} bytes of user data`, `${userData.byteLength}`);
}

function malformed(expected: string, came: string, cause?: unknown): TpmError {
  return new TpmError('HCL_VARIABLE_DATA_MALFORMED', `expected HCL variable data: ${expected}, got ${came}`, {
    cause,
  });
}
