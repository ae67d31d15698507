import { toUtf8 } from '../bytes/encoding.ts';
import { compactJson, rawElements, rawMembers } from '../json/raw-json.ts';
import { parseJson } from '../json/strict-json.ts';
import type { SignedDocument } from './dcap-collateral.ts';
import { chainOfText } from './issuer-chain.ts';
import { factsOf } from './signed-document.ts';

/** What the tool writes into one file, taken apart. */
export interface ToolFilePieces {
  readonly documents: readonly {
    readonly document: SignedDocument;
    readonly selection: 'standard' | 'early';
  }[];
  /** In any form that readAnyRevocationList takes. */
  readonly revocationLists: readonly Uint8Array[];
  /** DER */
  readonly certificates: readonly Uint8Array[];
}

type Members = ReadonlyMap<string, string>;

const EARLY = '_early';
/** `tcbinfo` is the name of API version 3. */
const TCB_INFOS = ['sgx_tcbinfo', 'tdx_tcbinfo', 'tcbinfo'].flatMap((name) => [name, name + EARLY]);
const IDENTITIES = ['qeidentity', 'tdqeidentity'].flatMap((name) => [name, name + EARLY]);
const NONE: Members = new Map();

/**
 * Takes apart the file that Intel's PCS client tool writes (`pcsclient.py fetch`, PccsAdminTool): `collaterals` with
 * `tcbinfos`, identities, `pckcacrl`, `rootcacrl` and `certificates`. `undefined` when it is another file, or when a
 * piece of it is not what its name says. Throws MalformedError as parseJson, X509Error CERTIFICATE_MALFORMED.
 */
export function unpackToolFile(text: string): ToolFilePieces | undefined {
  const collaterals = membersOf(rawMembers(text).get('collaterals'));
  const certificates = membersOf(collaterals.get('certificates'));
  const tcbInfoChain = chainNamed(certificates, 'TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain');
  const identityChain = chainNamed(certificates, 'SGX-Enclave-Identity-Issuer-Chain');
  const pckChains = [...membersOf(certificates.get('SGX-PCK-Certificate-Issuer-Chain')).values()];
  const lists = membersOf(collaterals.get('pckcacrl'));
  const tcbInfos = rawElements(collaterals.get('tcbinfos') ?? '[]').flatMap((entry) =>
    documentsIn(rawMembers(entry), TCB_INFOS, tcbInfoChain),
  );
  const documents = [...tcbInfos, ...documentsIn(collaterals, IDENTITIES, identityChain)];
  if (documents.some(({ document }) => factsOf(document.body) === undefined)) return undefined;
  return {
    documents,
    revocationLists: [lists.get('processorCrl'), lists.get('platformCrl'), collaterals.get('rootcacrl')]
      .map(textOf)
      .filter((list) => list !== '')
      .map(toUtf8),
    certificates: [
      ...tcbInfoChain,
      ...identityChain,
      ...pckChains.flatMap((chain) => chainOfText(textOf(chain))),
    ],
  };
}

function documentsIn(
  members: Members,
  names: readonly string[],
  issuerChain: readonly Uint8Array[],
): ToolFilePieces['documents'] {
  return names.flatMap((name) => {
    const body = bodyOf(members.get(name));
    const selection = name.endsWith(EARLY) ? ('early' as const) : ('standard' as const);
    return body === undefined ? [] : [{ document: { body, issuerChain }, selection }];
  });
}

/**
 * The tool writes identities as it got them, in a string; TCB infos it reads and writes again, with spaces that were
 * not in what Intel signed. Some who pass the file on make objects of both. An absent one is "".
 */
function bodyOf(raw: string | undefined): Uint8Array | undefined {
  if (raw === undefined || raw === 'null') return undefined;
  const text = raw.startsWith('"') ? textOf(raw) : compactJson(raw);
  return text === '' ? undefined : toUtf8(text);
}

function chainNamed(certificates: Members, ...names: readonly string[]): readonly Uint8Array[] {
  return names.flatMap((name) => chainOfText(textOf(certificates.get(name))));
}

function membersOf(raw: string | undefined): Members {
  return raw === undefined ? NONE : rawMembers(raw);
}

/** The text of a JSON string; empty for anything else. */
function textOf(raw: string | undefined): string {
  const value = raw?.startsWith('"') === true ? parseJson(raw) : '';
  return typeof value === 'string' ? value : '';
}
