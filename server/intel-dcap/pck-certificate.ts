import { toHex } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { extension } from '../x509/certificate.ts';
import type { VerifiedCertificate } from '../x509/chain.ts';
import { DerReader } from '../x509/der-reader.ts';
import { QuoteError } from './quote-error.ts';

/** Which of Intel's authorities issued a PCK certificate: for multi-package platforms, or for single processors. */
export type PckAuthority = 'platform' | 'processor';

/** What Intel says in a PCK certificate about the platform. */
export interface PckExtension {
  /** 16 bytes. */
  readonly ppid: Uint8Array;
  /** 16 security versions, 0 to 255, in the order of the TCB info. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  /** Four upper-case hex digits. */
  readonly pceId: string;
  /** Twelve upper-case hex digits. */
  readonly fmspc: string;
  readonly sgxType: SgxType;
  /** 16 bytes. Of platforms only. */
  readonly platformInstanceId: Uint8Array | undefined;
  /** Of platforms only. */
  readonly configuration: PlatformConfiguration | undefined;
}

export type SgxType = 'Standard' | 'Scalable' | 'Scalable with Integrity';

export interface PlatformConfiguration {
  readonly dynamicPlatform: boolean;
  readonly cachedKeys: boolean;
  readonly smtEnabled: boolean;
}

/** Intel, SGX PCK Certificate and CRL Profile, rev. 1.5, SGX extensions. */
export const SGX_EXTENSION = '1.2.840.113741.1.13.1';
const SGX_TYPES: ReadonlyMap<bigint, SgxType> = new Map([
  [0n, 'Standard'],
  [1n, 'Scalable'],
  [2n, 'Scalable with Integrity'],
]);
const COMPONENTS = Array.from({ length: 16 }, (_, index) => index + 1);
const MAX_COMPONENT = 0xff;
const MAX_PCE_SVN = 0xffff;
/** More than any of its sequences has. */
const MAX_MEMBERS = 32;

/**
 * Reads the SGX extension of a PCK certificate. Its sequences hold each member once, in any order, and nothing else; platforms
 * have two members that processors must not have. Throws QuoteError PCK_EXTENSION_MALFORMED; X509Error CERTIFICATE_MALFORMED.
 */
export function readPckExtension(certificate: VerifiedCertificate, authority: PckAuthority): PckExtension {
  const value = extension(certificate, SGX_EXTENSION)?.value;
  if (value === undefined) throw malformed('the SGX extension', 'none');
  try {
    const reader = new DerReader(value);
    const members = new Members(reader, SGX_EXTENSION);
    reader.end();
    return readMembers(members, authority);
  } catch (cause) {
    if (!(cause instanceof CodedError) || cause instanceof QuoteError) throw cause;
    throw malformed('the SGX extension in DER', 'another form', cause);
  }
}

function readMembers(members: Members, authority: PckAuthority): PckExtension {
  const isPlatform = authority === 'platform';
  const tcb = members.take('2', (reader) => new Members(reader, `${SGX_EXTENSION}.2`));
  const read: PckExtension = {
    ppid: members.octets('1', 16),
    components: COMPONENTS.map((number) => tcb.integer(String(number), MAX_COMPONENT)),
    pceSvn: tcb.integer('17', MAX_PCE_SVN),
    cpuSvn: tcb.octets('18', 16),
    pceId: toHex(members.octets('3', 2)).toUpperCase(),
    fmspc: toHex(members.octets('4', 6)).toUpperCase(),
    sgxType: members.take('5', readSgxType),
    platformInstanceId: isPlatform ? members.octets('6', 16) : undefined,
    configuration: isPlatform ? members.take('7', readConfiguration) : undefined,
  };
  tcb.end();
  members.end();
  return read;
}

function readSgxType(reader: DerReader): SgxType {
  const number = reader.enumerated();
  const type = SGX_TYPES.get(number);
  if (type === undefined) throw malformed('an SGX type of 0 to 2', number.toString());
  return type;
}

function readConfiguration(reader: DerReader): PlatformConfiguration {
  const members = new Members(reader, `${SGX_EXTENSION}.7`);
  const configuration = {
    dynamicPlatform: members.take('1', (member) => member.boolean()),
    cachedKeys: members.take('2', (member) => member.boolean()),
    smtEnabled: members.take('3', (member) => member.boolean()),
  };
  members.end();
  return configuration;
}

/** A SEQUENCE OF SEQUENCE { OID, value }, of which each member is taken once. */
class Members {
  readonly #values = new Map<string, DerReader>();
  readonly #oid: string;

  constructor(reader: DerReader, oid: string) {
    this.#oid = oid;
    const sequence = reader.sequence();
    while (!sequence.atEnd) {
      const member = sequence.sequence();
      const name = member.oid();
      if (this.#values.has(name)) throw malformed(`member ${name} once`, 'it twice');
      if (this.#values.size === MAX_MEMBERS) throw malformed(`at most ${MAX_MEMBERS} members`, 'more');
      this.#values.set(name, member);
    }
  }

  take<T>(name: string, read: (reader: DerReader) => T): T {
    const oid = `${this.#oid}.${name}`;
    const reader = this.#values.get(oid);
    if (reader === undefined) throw malformed(`member ${oid}`, 'none');
    const value = read(reader);
    reader.end();
    this.#values.delete(oid);
    return value;
  }

  octets(name: string, length: number): Uint8Array {
    const bytes = this.take(name, (reader) => reader.octetString());
    if (bytes.byteLength !== length) {
      throw malformed(`${length} bytes in member ${this.#oid}.${name}`, `${bytes.byteLength}`);
    }
    return bytes;
  }

  integer(name: string, max: number): number {
    const value = this.take(name, (reader) => reader.integer());
    if (value < 0n || value > max) {
      throw malformed(`0 to ${max} in member ${this.#oid}.${name}`, value.toString());
    }
    return Number(value);
  }

  /** Asserts that every member has been taken. */
  end(): void {
    const [left] = this.#values.keys();
    if (left !== undefined) throw malformed('no member that its authority does not give', left);
  }
}

function malformed(expected: string, came: string, cause?: unknown): QuoteError {
  return new QuoteError(
    'PCK_EXTENSION_MALFORMED',
    `expected a PCK certificate with ${expected}, got ${came}`,
    { cause },
  );
}
