import { readFile } from 'node:fs/promises';
import { fromUtf8 } from '../bytes/encoding.ts';
import { ConfigError } from '../config/config-error.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { looksLikePem, splitPem } from '../x509/pem.ts';

/** The content of a file that the configuration names under `key`. Throws ConfigError CONFIG_INVALID when it cannot be read. */
export async function readConfiguredFile(key: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    const message = `expected a file that can be read, got ${file} (${reason})`;
    throw new ConfigError('CONFIG_INVALID', [{ where: key, message }], { cause });
  }
}

/** As readConfiguredFile, where the content is text. Throws MalformedError when it is not UTF-8. */
export async function readConfiguredText(key: string, file: string): Promise<string> {
  return fromUtf8(await readConfiguredFile(key, file));
}

/** Every certificate of the files: PEM bundles, or one certificate in DER each. Throws X509Error when one is malformed. */
export async function readConfiguredCertificates(
  key: string,
  files: readonly string[],
): Promise<readonly Certificate[]> {
  const contents = await Promise.all(files.map(async (file) => await readConfiguredFile(key, file)));
  return contents
    .flatMap((bytes) => (looksLikePem(bytes) ? splitPem(fromUtf8(bytes), 'certificate') : [bytes]))
    .map(parseCertificate);
}
