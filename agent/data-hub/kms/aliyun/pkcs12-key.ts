import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { PFX } from '@peculiar/asn1-pfx';
import { asBuffer } from '../../../../server/bytes/byte-strings.ts';
import { malformed } from '../credential-folder.ts';
import { ALIYUN } from './aliyun-addresses.ts';

/** PKCS #12 v1.1 (RFC 7292), section 4.2 and appendix D. */
const DATA = '1.2.840.113549.1.7.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const MAX_CONTENTS = 16;

/**
 * The RSA key in a PKCS#12 container. Only its key bag is decrypted, which is a PKCS#8 structure that OpenSSL reads; the bags of
 * certificates are under RC2, which it does not read any more. The container's MAC is not looked at: its password lies beside
 * it, so that it proves nothing. Throws KmsError CREDENTIALS_MALFORMED; a wrong password is one too.
 */
export async function readPkcs12Key(
  container: Uint8Array,
  password: string,
  file: string,
): Promise<KeyObject> {
  try {
    const bag = await findKeyBag(container);
    if (bag !== undefined) {
      const key = createPrivateKey({
        key: asBuffer(bag),
        format: 'der',
        type: 'pkcs8',
        passphrase: password,
      });
      if (key.asymmetricKeyType === 'rsa') return key;
    }
  } catch {
    // No cause: it may tell of the key.
  }
  throw malformed(ALIYUN, file, "'PrivateKeyData' with an RSA key that its password opens");
}

async function findKeyBag(container: Uint8Array): Promise<Uint8Array | undefined> {
  const [pfx, { AsnConvert, OctetString }] = await Promise.all([
    import('@peculiar/asn1-pfx'),
    import('@peculiar/asn1-schema'),
  ]);
  const octets = ({ contentType, content }: PFX['authSafe']): ArrayBuffer | undefined =>
    contentType === DATA ? AsnConvert.parse(content, OctetString).buffer : undefined;
  const safe = octets(AsnConvert.parse(asBuffer(container), pfx.PFX).authSafe);
  if (safe === undefined) return undefined;
  for (const content of AsnConvert.parse(safe, pfx.AuthenticatedSafe).slice(0, MAX_CONTENTS)) {
    const bags = octets(content);
    const found =
      bags && AsnConvert.parse(bags, pfx.SafeContents).find(({ bagId }) => bagId === SHROUDED_KEY_BAG);
    if (found !== undefined) return new Uint8Array(found.bagValue);
  }
  return undefined;
}
