import { isCodedError } from '../../errors/coded-error.ts';
import { type Certificate, extension } from '../../x509/certificate.ts';
import { DerReader } from '../../x509/der-reader.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';

const EXTENDED_KEY_USAGE = '2.5.29.37';
const MAX_USAGES = 16;

/** What a certificate is for, and how to say that it is not. */
export interface Usage {
  readonly oid: string;
  readonly code: 'AK_CERTIFICATE_UNSUITABLE' | 'EK_CERTIFICATE_UNSUITABLE';
}

/** Throws TpmEvidenceError with the usage's code where the certificate does not name it (RFC 5280, section 4.2.1.12). */
export function requireUsage(certificate: Certificate, { oid, code }: Usage): void {
  if (readUsages(certificate, code).includes(oid)) return;
  throw new TpmEvidenceError(
    code,
    `expected the extended key usage ${oid}, got a certificate for something else`,
  );
}

function readUsages(certificate: Certificate, code: Usage['code']): readonly string[] {
  const value = extension(certificate, EXTENDED_KEY_USAGE)?.value;
  if (value === undefined) return [];
  try {
    const outer = new DerReader(value);
    const list = outer.sequence();
    outer.end();
    const usages: string[] = [];
    while (!list.atEnd && usages.length < MAX_USAGES) usages.push(list.oid());
    return usages;
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new TpmEvidenceError(code, 'expected an extended key usage as RFC 5280 has it, got another form', {
      cause,
    });
  }
}
