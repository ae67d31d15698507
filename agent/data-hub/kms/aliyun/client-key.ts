import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fromBase64 } from '../../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { parseJson } from '../../../../server/json/strict-json.ts';
import { type CredentialFolder, fileNamePart, malformed, readCredential } from '../credential-folder.ts';
import { ALIYUN } from './aliyun-addresses.ts';
import { readPkcs12Key } from './pkcs12-key.ts';

/** What a dedicated instance knows a guest by. */
export interface ClientKey {
  readonly id: string;
  /** RSA. */
  readonly key: KeyObject;
}

const clientKeySchema = z.object({
  KeyId: z.string().regex(/^[\x21-\x7e]{1,256}$/),
  PrivateKeyData: z.string(),
});
const passwordSchema = z
  .record(z.string(), z.string())
  .refine((members) => Object.keys(members).length === 1);

/**
 * `clientKey_<id>.json` and `password_<id>.json`. Throws KmsError CREDENTIALS_MISSING, CREDENTIALS_MALFORMED,
 * KMS_NAME_REFUSED.
 */
export async function loadClientKey(folder: CredentialFolder, keyId: string): Promise<ClientKey> {
  const id = fileNamePart('client_key_id', keyId);
  const file = `clientKey_${id}.json`;
  const { KeyId, PrivateKeyData } = await readCredential(folder, ALIYUN, file, clientKeySchema);
  const password = await loadPassword(folder, `password_${id}.json`);
  return { id: KeyId, key: await readPkcs12Key(containerOf(PrivateKeyData, file), password, file) };
}

/** Upstream reads the whole file as the password, whatever its name; what Aliyun hands out is an object with one member. */
async function loadPassword(folder: CredentialFolder, file: string): Promise<string> {
  const text = (await folder.readText(ALIYUN, file)).trim();
  if (!text.startsWith('{')) return text;
  const parsed = passwordSchema.safeParse(readJson(text));
  const [password] = parsed.success ? Object.values(parsed.data) : [];
  if (password !== undefined) return password;
  throw malformed(ALIYUN, file, 'a password, or JSON with one member that is one');
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return undefined;
  }
}

function containerOf(text: string, file: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw malformed(ALIYUN, file, "'PrivateKeyData' in base64");
  }
}
