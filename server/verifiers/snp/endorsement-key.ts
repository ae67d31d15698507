import type { KeyObject } from 'node:crypto';
import { bytesEqual } from '../../bytes/byte-strings.ts';
import { CodedError } from '../../errors/coded-error.ts';
import { type Certificate, extension } from '../../x509/certificate.ts';
import type { VerifiedCertificate } from '../../x509/chain.ts';
import { DerReader } from '../../x509/der-reader.ts';
import { type ProductLine, productOfName } from './product.ts';
import type { SnpReport } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { isSameTcb, readTcb, type SnpTcb, TCB_LAYOUTS, type TcbComponent, tcbText } from './tcb.ts';

export type EndorsementKeyType = 'vcek' | 'vlek';

/** What AMD says in a VCEK or VLEK certificate about the key's owner. */
export interface EndorsementKey {
  readonly type: EndorsementKeyType;
  readonly product: ProductLine;
  readonly tcb: SnpTcb;
  /** VCEK: the chip, 64 bytes, on Turin 8 bytes and zeros. */
  readonly chipId: Uint8Array | undefined;
  /** VLEK: the cloud provider that the key was given to. */
  readonly cspId: string | undefined;
  readonly publicKey: KeyObject;
}

/** AMD 57230 rev. 1.00, VCEK and VLEK certificate extensions. */
const AMD = '1.3.6.1.4.1.3704.1';
const PRODUCT_NAME = `${AMD}.2`;
const HARDWARE_ID = `${AMD}.4`;
const CSP_ID = `${AMD}.5`;
const TCB_OIDS: Readonly<Record<TcbComponent, string>> = {
  bootloader: `${AMD}.3.1`,
  tee: `${AMD}.3.2`,
  snp: `${AMD}.3.3`,
  microcode: `${AMD}.3.8`,
  fmc: `${AMD}.3.9`,
};
const HARDWARE_ID_BYTES: Readonly<Record<ProductLine, number>> = { Milan: 64, Genoa: 64, Turin: 8 };
const CHIP_ID_BYTES = 64;

/**
 * Reads AMD's extensions. What the certificate is follows from them, not from its name: a VCEK names a chip, a VLEK
 * a cloud provider. Throws SnpEvidenceError ENDORSEMENT_KEY_MALFORMED; X509Error CERTIFICATE_MALFORMED.
 */
export function readEndorsementKey(certificate: VerifiedCertificate): EndorsementKey {
  const product = readProduct(certificate);
  const chipId = readChipId(certificate, product);
  const cspId = readCspId(certificate);
  if ((chipId === undefined) === (cspId === undefined)) {
    throw malformed('either a hardware id (VCEK) or a CSP id (VLEK)', 'both or neither');
  }
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'secp384r1') {
    throw malformed('a P-384 key', publicKey.asymmetricKeyType ?? 'none');
  }
  const type = chipId === undefined ? 'vlek' : 'vcek';
  return { type, product, tcb: readCertifiedTcb(certificate, product), chipId, cspId, publicKey };
}

/** The chip that a VCEK names, 64 bytes; `undefined` for other certificates. Throws as readEndorsementKey. */
export function chipIdOf(
  certificate: Certificate,
): { product: ProductLine; chipId: Uint8Array; tcb: SnpTcb } | undefined {
  if (extension(certificate, HARDWARE_ID) === undefined) return undefined;
  const product = readProduct(certificate);
  const chipId = readChipId(certificate, product);
  return chipId && { product, chipId, tcb: readCertifiedTcb(certificate, product) };
}

/**
 * Checks that the key may speak for this report: it is of the kind that the report says it was signed with, AMD made it for
 * this product line, TCB and (VCEK) chip.
 * Throws SnpEvidenceError PRODUCT_MISMATCH, SIGNING_KEY_MISMATCH, TCB_MISMATCH, CHIP_ID_MISMATCH;
 * MalformedError RESERVED_NOT_ZERO.
 */
export function requireKeyFits(key: EndorsementKey, product: ProductLine, report: SnpReport): void {
  if (key.product !== product) {
    throw new SnpEvidenceError(
      'PRODUCT_MISMATCH',
      `expected a key for ${product}, got one for ${key.product}`,
    );
  }
  if (key.type !== report.signingKey) {
    throw new SnpEvidenceError(
      'SIGNING_KEY_MISMATCH',
      `expected a ${report.signingKey.toUpperCase()}, with which the report says it was signed, got a ${key.type.toUpperCase()}`,
    );
  }
  const reported = readTcb(report.reportedTcb, product);
  if (!isSameTcb(key.tcb, reported)) {
    throw new SnpEvidenceError(
      'TCB_MISMATCH',
      `expected a key for the reported TCB (${tcbText(reported)}), got one for ${tcbText(key.tcb)}`,
    );
  }
  if (key.chipId !== undefined && !bytesEqual(key.chipId, report.chipId)) {
    throw new SnpEvidenceError(
      'CHIP_ID_MISMATCH',
      'expected a key of the chip in the report, got one of another chip',
    );
  }
}

function readProduct(certificate: Certificate): ProductLine {
  const name = read(certificate, PRODUCT_NAME, (reader) => reader.ia5String());
  const product = productOfName(name);
  if (product === undefined) throw malformed('a product name of Milan, Genoa or Turin', 'another');
  return product;
}

function readCertifiedTcb(certificate: Certificate, product: ProductLine): SnpTcb {
  const component = (name: TcbComponent): number => readSecurityVersion(certificate, TCB_OIDS[name]);
  return {
    fmc: TCB_LAYOUTS[product].includes('fmc') ? component('fmc') : undefined,
    bootloader: component('bootloader'),
    tee: component('tee'),
    snp: component('snp'),
    microcode: component('microcode'),
  };
}

function readSecurityVersion(certificate: Certificate, oid: string): number {
  const value = read(certificate, oid, (reader) => reader.integer());
  if (value < 0n || value > 255n) throw malformed(`extension ${oid} from 0 to 255`, value.toString());
  return Number(value);
}

/** Older certificates hold the bare bytes, newer ones an OCTET STRING of them. */
function readChipId(certificate: Certificate, product: ProductLine): Uint8Array | undefined {
  const value = extension(certificate, HARDWARE_ID)?.value;
  if (value === undefined) return undefined;
  const length = HARDWARE_ID_BYTES[product];
  const id =
    value.byteLength === length ? value : read(certificate, HARDWARE_ID, (reader) => reader.octetString());
  if (id.byteLength !== length) throw malformed(`a hardware id of ${length} bytes`, `${id.byteLength}`);
  const chipId = new Uint8Array(CHIP_ID_BYTES);
  chipId.set(id);
  return chipId;
}

function readCspId(certificate: Certificate): string | undefined {
  if (extension(certificate, CSP_ID) === undefined) return undefined;
  return read(certificate, CSP_ID, (reader) => reader.ia5String());
}

/** One DER value that fills the extension. The certificate parser has refused extensions that occur twice. */
function read<T>(certificate: Certificate, oid: string, take: (reader: DerReader) => T): T {
  const value = extension(certificate, oid)?.value;
  if (value === undefined) throw malformed(`extension ${oid}`, 'none');
  try {
    const reader = new DerReader(value);
    const result = take(reader);
    reader.end();
    return result;
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformed(`extension ${oid} as AMD specifies it`, 'another form', cause);
  }
}

function malformed(expected: string, came: string, cause?: unknown): SnpEvidenceError {
  return new SnpEvidenceError(
    'ENDORSEMENT_KEY_MALFORMED',
    `expected an endorsement key certificate with ${expected}, got ${came}`,
    { cause },
  );
}
