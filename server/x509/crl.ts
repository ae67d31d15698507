import 'reflect-metadata';
import type { KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { sha256 } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import { type Authority, normalizeSerial } from './certificate.ts';
import { DerReader } from './der-reader.ts';
import { isSignedBy, readSignedObject, type SignedObject } from './signed-object.ts';
import { X509Error } from './x509-error.ts';

declare const proof: unique symbol;

/** A revocation list as it came, read but not believed. */
export interface RevocationList {
  readonly der: Uint8Array;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  /** The one common name of the issuer, for telling lists apart, never for trust. */
  readonly issuerCommonName: string | undefined;
  readonly signed: SignedObject;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** CRLNumber (RFC 5280, section 5.2.3), where the issuer writes one. */
  readonly number: bigint | undefined;
  /** Serial numbers: lower-case hex without leading zeros. */
  readonly revokedSerials: ReadonlySet<string>;
}

/** A list that its issuer signed. Only `verifyRevocationList` makes one. It may still be out of date. */
export type VerifiedRevocationList = RevocationList & { readonly [proof]: 'crl' };

/** Lists of the vendors that we know are below 100 KiB. */
const MAX_LIST_BYTES = 1 << 20;
const MAX_ENTRIES = 50_000;
const CRL_NUMBER = '2.5.29.20';

/**
 * Reads a DER revocation list (RFC 5280, section 5.1). Lists that need more than their serial numbers to be understood
 * (delta lists, indirect ones, partial ones) mark that with a critical extension and are refused.
 * Throws X509Error CRL_MALFORMED, CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  if (der.byteLength > MAX_LIST_BYTES) {
    throw malformed(`at most ${MAX_LIST_BYTES} bytes of revocation list, got ${der.byteLength}`);
  }
  try {
    return read(Uint8Array.from(der));
  } catch (cause) {
    if (cause instanceof X509Error) throw cause;
    throw malformed(`an X.509 revocation list, got ${der.byteLength} bytes that are not`, cause);
  }
}

/**
 * Checks that the list was signed with its issuer's key, and that the issuer may sign lists where we have its certificate.
 * Throws X509Error CRL_UNTRUSTED, CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function verifyRevocationList(
  list: RevocationList,
  issuer: { readonly publicKey: KeyObject; readonly authority?: Authority },
): VerifiedRevocationList {
  if (issuer.authority?.signsLists === false || !isSignedBy(list.signed, issuer.publicKey)) {
    throw new X509Error('CRL_UNTRUSTED', 'expected a revocation list that its issuer signed');
  }
  return verified(list);
}

/**
 * How the list stands at a time: `current`, or `stale` when its nextUpdate is past by no more than `maxStaleSeconds`.
 * Throws X509Error CRL_NOT_YET_VALID, CRL_EXPIRED.
 */
export function freshnessOf(
  list: VerifiedRevocationList,
  at: Date,
  maxStaleSeconds: number,
): 'current' | 'stale' {
  // Written so that an unreadable date, which compares false with everything, is refused.
  if (!(at >= list.thisUpdate)) {
    throw new X509Error(
      'CRL_NOT_YET_VALID',
      `expected a revocation list of ${at.toISOString()} or before, got a later one`,
    );
  }
  if (at <= list.nextUpdate) return 'current';
  if (at.getTime() <= list.nextUpdate.getTime() + maxStaleSeconds * 1000) return 'stale';
  throw new X509Error(
    'CRL_EXPIRED',
    `expected a revocation list at most ${maxStaleSeconds} seconds past its nextUpdate, got an older one`,
  );
}

/** `serial` is hex, leading zeros do not matter. */
export function isRevoked(list: VerifiedRevocationList, serial: string): boolean {
  return list.revokedSerials.has(normalizeSerial(serial));
}

/** Whether the list supersedes another of the same issuer: by thisUpdate, and by CRLNumber within one second. */
export function isNewerList(list: RevocationList, than: RevocationList): boolean {
  const difference = list.thisUpdate.getTime() - than.thisUpdate.getTime();
  return difference === 0 ? (list.number ?? 0n) > (than.number ?? 0n) : difference > 0;
}

function read(der: Uint8Array): RevocationList {
  const signed = readSignedObject(der);
  const list = new x509.X509Crl(Uint8Array.from(der));
  const nextUpdate = list.nextUpdate;
  if (nextUpdate === undefined) throw malformed('a revocation list with a nextUpdate, got none');
  requireNoUnknownExtension(list.extensions);
  const issuerNames = list.issuerName.getField('CN');
  return {
    der,
    fingerprint: toHex(sha256(der)),
    issuerCommonName: issuerNames.length === 1 ? issuerNames[0] : undefined,
    signed,
    thisUpdate: list.thisUpdate,
    nextUpdate,
    number: numberOf(list.extensions),
    revokedSerials: readSerials(list),
  };
}

function readSerials(list: x509.X509Crl): ReadonlySet<string> {
  const { entries } = list;
  if (entries.length > MAX_ENTRIES) throw malformed(`at most ${MAX_ENTRIES} entries, got ${entries.length}`);
  return new Set(
    entries.map((entry) => {
      requireNoUnknownExtension(entry.extensions);
      return normalizeSerial(entry.serialNumber);
    }),
  );
}

function requireNoUnknownExtension(extensions: readonly x509.Extension[]): void {
  const unknown = extensions.find(({ type, critical }) => critical && type !== CRL_NUMBER);
  if (unknown !== undefined)
    throw malformed(`no critical extension that we do not know, got ${unknown.type}`);
}

function numberOf(extensions: readonly x509.Extension[]): bigint | undefined {
  const found = extensions.find(({ type }) => type === CRL_NUMBER);
  if (found === undefined) return undefined;
  const reader = new DerReader(new Uint8Array(found.value));
  const number = reader.integer();
  reader.end();
  return number;
}

function malformed(expected: string, cause?: unknown): X509Error {
  return new X509Error('CRL_MALFORMED', `expected ${expected}`, { cause });
}

function verified(list: RevocationList): VerifiedRevocationList {
  return list as VerifiedRevocationList;
}
