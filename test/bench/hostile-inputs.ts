import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../server/bytes/encoding.ts';
import { CouldNotCheckError } from '../../server/errors/could-not-check-error.ts';
import { parseEventLog } from '../../server/event-log/event-log.ts';
import { replay } from '../../server/event-log/replay.ts';
import { intelAnchors } from '../../server/intel-dcap/anchors.ts';
import { parseQuote } from '../../server/intel-dcap/quote.ts';
import { createQuoteVerifier } from '../../server/intel-dcap/verify-quote.ts';
import { parseJsonWithBigInts } from '../../server/json/strict-json.ts';
import { parseHclReport } from '../../server/tpm/hcl-report.ts';
import { readHclVariableData } from '../../server/tpm/hcl-variable-data.ts';
import { parseQuoteAttestation } from '../../server/tpm/tpms-attest.ts';
import { readSnpEvidence } from '../../server/verifiers/snp/evidence.ts';
import { readTdxEvidence } from '../../server/verifiers/tdx/evidence.ts';
import { readTpmEvidence } from '../../server/verifiers/tpm/evidence.ts';
import {
  type FakeRecord,
  fakeEventLog,
  fakeImageLoad,
  fakeNode,
  fakeVariable,
} from '../fakes/event-log-bytes.ts';
import { createFakeIntel } from '../fakes/fake-intel.ts';
import { filled } from '../fakes/quote-bytes.ts';

/** What anybody can send, unsigned, and what the server does with it until it finds that out. */
export interface HostileInput {
  readonly kind: 'quote' | 'event log' | 'TPM evidence' | 'JSON evidence';
  readonly name: string;
  /** Refuses or not, as the server does. */
  readonly read: () => unknown;
}

const MEBIBYTE = 2 ** 20;
/** `server/json/strict-json.ts` */
const TAKEN_COMMAS = 16_384;
const TAKEN_MEMBERS = 4096;
const AT = new Date('2026-06-01T00:00:00Z');

/** Inputs of 1 MiB, or of as much as is looked at where that is less, each of which is to be expensive in another way. */
export async function hostileInputs(): Promise<readonly HostileInput[]> {
  return [...(await quotes()), ...eventLogs(), ...tpmEvidence(), ...jsonEvidence()];
}

async function quotes(): Promise<readonly HostileInput[]> {
  const intel = await createFakeIntel();
  const certificate = intel.authority('platform').der;
  const block = (der: Uint8Array): string =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const withChain = async (chain: string): Promise<Uint8Array> => await intel.quote({ chain });
  const room = 60_000;
  const chains: Readonly<Record<string, string>> = {
    'certificates of nobody': block(certificate).repeat(3),
    'as many certificates as fit': block(certificate).repeat(Math.floor(room / block(certificate).length)),
    'PEM that begins again and again': '-----BEGIN CERTIFICATE-----\n'.repeat(room / 30),
    'a certificate of one long OCTET STRING': block(derOf(0x04, filled(Math.floor(room * 0.7), 0x30))),
    'certificates of nothing but small members': block(nested(Math.floor(room * 0.2))).repeat(3),
  };
  const verify = createQuoteVerifier({
    anchors: intelAnchors(),
    revocation: 'required',
    maxStaleSeconds: 0,
    findCollateral: async () => {
      throw new CouldNotCheckError(
        'COLLATERAL_UNAVAILABLE',
        'an unsigned quote got as far as its collateral',
      );
    },
  });
  const whole = await withChain('');
  return [
    quoteInput('zeros', () => parseQuote(filled(MEBIBYTE, 0))),
    quoteInput('a quote and zeros behind it', () => parseQuote(Buffer.concat([whole, filled(60_000, 0)]))),
    ...(await Promise.all(
      Object.entries(chains).map(async ([name, chain]) => {
        const bytes = await withChain(chain);
        return quoteInput(name, async () => await verify(parseQuote(bytes), AT));
      }),
    )),
  ];
}

function quoteInput(name: string, read: HostileInput['read']): HostileInput {
  return { kind: 'quote', name, read };
}

function eventLogs(): readonly HostileInput[] {
  const input = (name: string, bytes: Uint8Array): HostileInput => ({
    kind: 'event log',
    name,
    // Its events are looked into only once it replays to registers that are proven.
    read: () => replay(parseEventLog(bytes), 'sha384'),
  });
  const many = (record: FakeRecord, count = 2048): Uint8Array =>
    fakeEventLog({ records: Array.from({ length: count }, () => record) });
  const padded = (bytes: Uint8Array): Uint8Array =>
    Buffer.concat([bytes, filled(MEBIBYTE - bytes.byteLength, 0xff)]);
  const path = Buffer.concat([
    ...Array.from({ length: 40 }, () => fakeNode(1, 1, '0000')),
    fakeNode(0x7f, 0xff),
  ]);
  const algorithms = ['sha1', 'sha256', 'sha384', 'sha512', 'sm3'] as const;
  const event = filled(190, 0x41);
  return [
    input('zeros behind the first record', fakeEventLog({ records: [], padding: [MEBIBYTE, 0] })),
    input(
      'zeros that end otherwise',
      fakeEventLog({ records: [], padding: [MEBIBYTE, 0], behind: Uint8Array.of(1) }),
    ),
    input('as many records as fit', padded(many({ event: filled(180, 0) }))),
    input('records with every kind of digest', padded(many({ algorithms, event: filled(20, 0) }, 2000))),
    input('one event of half a mebibyte', padded(many({ event: filled(500_000, 0x41), type: 0xd }, 1))),
    input('texts of control characters', padded(many({ type: 0xd, event: filled(180, 1) }))),
    input(
      'variables',
      padded(many({ type: 0x8000_0001, event: fakeVariable('00'.repeat(16), 'a', event.subarray(40)) })),
    ),
    input(
      'device paths of many nodes',
      padded(many({ type: 0x8000_0003, event: fakeImageLoad(path) }, 1700)),
    ),
    input(
      'records of as many registers',
      padded(fakeEventLog({ records: Array.from({ length: 2048 }, (_, index) => ({ index })) })),
    ),
  ];
}

function tpmEvidence(): readonly HostileInput[] {
  const input = (name: string, read: HostileInput['read']): HostileInput => ({
    kind: 'TPM evidence',
    name,
    read,
  });
  const keys = Array.from({ length: 16 }, () => ({ kid: 'x', kty: 'RSA', n: 'A'.repeat(300), e: 'AQAB' }));
  const part = 'A'.repeat(MEBIBYTE);
  const evidence = (members: object): object => ({
    ak_public: 'AAAA',
    tpm_quote: { signature: 'AAAA', message: 'AAAA', pcrs: [] },
    ...members,
  });
  return [
    input('an HCL report of zeros', () => parseHclReport(filled(MEBIBYTE, 0))),
    input('variable data of other keys', () => readHclVariableData(toUtf8(JSON.stringify({ keys })))),
    input('variable data of one digit', () => readHclVariableData(filled(8192, 0x31))),
    input('a quote of zeros', () => parseQuoteAttestation(filled(MEBIBYTE, 0))),
    input('a message of a mebibyte', () =>
      readTpmEvidence(evidence({ tpm_quote: { signature: '', message: part, pcrs: [] } })),
    ),
    input('as many PCRs', () =>
      readTpmEvidence(
        evidence({ tpm_quote: { signature: '', message: '', pcrs: Array<string>(100_000).fill('00') } }),
      ),
    ),
    input('an event log that is not base64', () =>
      readTpmEvidence(evidence({ event_log: '!'.repeat(MEBIBYTE) })),
    ),
  ];
}

/** As `POST /attestation` carries it. */
function jsonEvidence(): readonly HostileInput[] {
  const input = (
    name: string,
    text: string,
    read = readTdxEvidence as (json: unknown) => unknown,
  ): HostileInput => {
    const sent = toBase64Url(toUtf8(text.slice(0, MEBIBYTE)));
    return {
      kind: 'JSON evidence',
      name,
      read: () => read(parseJsonWithBigInts(fromUtf8(fromBase64Url(sent)))),
    };
  };
  const fill = (part: string): string => part.repeat(Math.floor(MEBIBYTE / part.length) - 2);
  // As many values as are looked at.
  const listOf = (part: string): string => {
    const members = part.match(/[[{]|"[^"]*"/g)?.length ?? 0;
    const count = members === 0 ? TAKEN_COMMAS - 8 : Math.floor((TAKEN_MEMBERS - 8) / members);
    return `[${`${part},`.repeat(count)}${part}]`;
  };
  const keys = (name: (index: number) => string): string =>
    `{${Array.from({ length: TAKEN_MEMBERS - 8 }, (_, index) => `"${name(index)}":0`).join(',')}}`;
  return [
    input('brackets that open', fill('[')),
    input('objects that open', fill('{"a":')),
    input('quotation marks', fill('"')),
    input('an unending text of escapes', `"${fill('\\\\')}`),
    input('a text of escapes', `"${fill('\\u0041')}"`),
    input('more zeros than are looked at', `[${fill('0,')}0]`),
    input('zeros', listOf('0')),
    input('empty lists', listOf('[]')),
    input('empty objects', listOf('{}')),
    input('objects of one member', listOf('{"a":0}')),
    input(
      'members',
      keys((index) => `k${index}`),
    ),
    input(
      'members whose names are numbers',
      keys((index) => `${index * 7919}`),
    ),
    input(
      'members with escapes in their names',
      keys((index) => `\\u0061${index}`),
    ),
    input('the same member again', `{${fill('"a":0,')}"a":0}`),
    input('long numbers', listOf('1234567890123456789')),
    input('as many long numbers as are read', `[${'1234567890123456789,'.repeat(255)}0]`),
    input('one long number and zeros', `[1234567890123456789,${listOf('0').slice(1)}`),
    input('one long number and objects', `[1234567890123456789,${listOf('{"a":0}').slice(1)}`),
    input('a number of a mebibyte', fill('1')),
    input('what is not UTF-8 at its end', `${listOf('"a"').slice(0, -1)}\ud800]`),
    input('a quote of a mebibyte', `{"quote":"${fill('A')}"}`),
    input('a certificate table', `{"attestation_report":{},"cert_chain":${listOf('{}')}}`, readSnpEvidence),
    input('a byte array', `{"attestation_report":{"report_data":${listOf('0')}}}`, readSnpEvidence),
  ];
}

/** A SEQUENCE of NULLs, which is what an extension list is not. */
function nested(length: number): Uint8Array {
  return derOf(
    0x30,
    derOf(
      0x30,
      new Uint8Array(length & ~1).map((_, index) => (index % 2 === 0 ? 5 : 0)),
    ),
  );
}

function derOf(tag: number, content: Uint8Array): Uint8Array {
  const { byteLength } = content;
  return Buffer.concat([
    Uint8Array.of(tag, 0x83, byteLength >> 16, (byteLength >> 8) & 0xff, byteLength & 0xff),
    content,
  ]);
}
