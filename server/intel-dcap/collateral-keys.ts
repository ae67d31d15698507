import { fromUtf8 } from '../bytes/encoding.ts';
import type { Collateral } from '../collateral/collateral.ts';
import { CodedError } from '../errors/coded-error.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import type { RevocationList } from '../x509/crl.ts';
import { splitPem } from '../x509/pem.ts';
import { authorityNamed } from './authorities.ts';
import type { PlatformQuery, SignedDocument } from './dcap-collateral.ts';
import type { Evaluation } from './pcs-client.ts';
import { unpackToolFile } from './pcs-tool-file.ts';
import { readAnyRevocationList } from './revocation-list-form.ts';
import { type DocumentFacts, factsOf, joinDocument, splitDocument } from './signed-document.ts';

type Source = Collateral['source'];
const DER_START = 0x30;
const OPEN_BRACE = 0x7b;
const WHITESPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** Tool files carry the PCK certificates of a whole site. */
const MAX_IMPORT_BYTES = 64 << 20;

/** Where the TCB info of a platform is kept. */
export function tcbInfoKey(tee: PlatformQuery['tee'], fmspc: string, selection: Evaluation): string {
  return `${tee}/${fmspc}/${selection}`;
}

/** Where the identity of the quoting enclave is kept. */
export function qeIdentityKey(tee: PlatformQuery['tee'], selection: Evaluation): string {
  return `${tee}/${selection}`;
}

/** The row of a document under one selection. */
export function documentRow(
  document: SignedDocument,
  facts: DocumentFacts,
  selection: Evaluation,
  source: Source,
): Collateral {
  const place =
    facts.type === 'tcb-info'
      ? { kind: 'intel-tcb-info' as const, key: tcbInfoKey(facts.tee, facts.fmspc, selection) }
      : { kind: 'intel-qe-identity' as const, key: qeIdentityKey(facts.tee, selection) };
  return { ...place, body: joinDocument(document), expiresAt: facts.nextUpdate, source };
}

/** The row of a revocation list of Intel's; `undefined` when its issuer is somebody else. */
export function revocationListRow(list: RevocationList, source: Source): Collateral | undefined {
  const authority = authorityNamed(list.issuerCommonName);
  if (authority === undefined || authority === 'tcb-signing') return undefined;
  return { kind: 'intel-crl', key: authority, body: list.der, expiresAt: list.nextUpdate, source };
}

/** The row of a certificate of one of Intel's authorities; `undefined` for any other certificate. */
export function authorityRow(certificate: Certificate, source: Source): Collateral | undefined {
  const key = authorityNamed(certificate.commonName);
  if (key === undefined) return undefined;
  return { kind: 'intel-ca', key, body: certificate.der, expiresAt: certificate.validity.notAfter, source };
}

/**
 * Tells what imported bytes are: a TCB info or enclave identity as Intel's service sends it (alone or as an export writes
 * it), a revocation list (DER, PEM, hex), certificates of Intel's authorities (DER, PEM), or the file of Intel's PCS client
 * tool. Empty when it knows none of them. Nothing is believed. Never throws on what the bytes are.
 */
export function classifyIntelCollateral(bytes: Uint8Array): readonly Collateral[] {
  if (bytes.byteLength > MAX_IMPORT_BYTES) return [];
  if (bytes[0] === DER_START) return [...listIn(bytes), ...certificateIn(bytes)];
  if (firstCharacter(bytes) === OPEN_BRACE) return rowsOfJson(bytes);
  const fromPem = rowsOfPem(bytes);
  return fromPem.length > 0 ? fromPem : listIn(bytes);
}

function rowsOfJson(bytes: Uint8Array): readonly Collateral[] {
  const document = splitDocument(bytes);
  const rows = document === undefined ? [] : rowsOfDocument(document);
  return rows.length > 0 ? rows : rowsOfToolFile(bytes);
}

/** A document does not say which selection it was made for, so it serves each, and that of its own number. */
function rowsOfDocument(document: SignedDocument): readonly Collateral[] {
  const facts = factsOf(document.body);
  if (facts === undefined) return [];
  return [facts.evaluation, 'standard' as const, 'early' as const].map((selection) =>
    documentRow(document, facts, selection, 'imported'),
  );
}

function rowsOfToolFile(bytes: Uint8Array): readonly Collateral[] {
  const pieces = orNone(() => unpackToolFile(fromUtf8(bytes)));
  if (pieces === undefined) return [];
  const documents = pieces.documents.flatMap(({ document, selection }) => {
    const facts = factsOf(document.body);
    if (facts === undefined) return [];
    return [facts.evaluation, selection].map((each) => documentRow(document, facts, each, 'imported'));
  });
  return [
    ...documents,
    ...pieces.revocationLists.flatMap(listIn),
    ...pieces.certificates.flatMap(certificateIn),
  ];
}

/** Certificates and lists in one file, as a chain with its list. */
function rowsOfPem(bytes: Uint8Array): readonly Collateral[] {
  const blocks = (kind: 'certificate' | 'crl'): readonly Uint8Array[] =>
    orNone(() => splitPem(fromUtf8(bytes), kind)) ?? [];
  return [...blocks('crl').flatMap(listIn), ...blocks('certificate').flatMap(certificateIn)];
}

function listIn(bytes: Uint8Array): readonly Collateral[] {
  const row = orNone(() => revocationListRow(readAnyRevocationList(bytes), 'imported'));
  return row === undefined ? [] : [row];
}

function certificateIn(der: Uint8Array): readonly Collateral[] {
  const row = orNone(() => authorityRow(parseCertificate(der), 'imported'));
  return row === undefined ? [] : [row];
}

function firstCharacter(bytes: Uint8Array): number | undefined {
  return bytes.find((byte) => !WHITESPACE.has(byte));
}

/** What does not read as one thing may be another. */
function orNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}
