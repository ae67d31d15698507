import { verify } from 'node:crypto';
import { fromHex, fromUtf8, toUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { rawMembers } from '../json/raw-json.ts';
import { parseJson } from '../json/strict-json.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { nameOf, type TrustAnchor, type VerifiedCertificate, verifyChain } from '../x509/chain.ts';
import type { SignedDocument } from './dcap-collateral.ts';
import { TcbError } from './tcb-error.ts';

/** The member that the signature covers. */
export type SignedMember = 'tcbInfo' | 'enclaveIdentity';

/** What Intel signed, and who it was that signed for Intel. When it is valid is for the caller. */
export interface ProvenDocument {
  /** The value of the member. */
  readonly value: unknown;
  /** Leaf first, up to the root or what the root signed. */
  readonly signers: readonly Certificate[];
}

/** Real ones are below 64 KiB. */
const MAX_DOCUMENT_BYTES = 1 << 20;
const SIGNER_NAME = 'SGX TCB Signing';
const SIGNATURE = /^"([0-9A-Fa-f]{128})"$/;

/**
 * Proves a document as Intel's service sends it: `{"<member>": …, "signature": "<r ‖ s, hex>"}`, in any order. The signature (ECDSA
 * over P-256 with SHA-256) covers the bytes of the member's value as they came; they are never written again. The signer's chain
 * leads to the anchor, which is that of the PCK certificate.
 * Throws TcbError COLLATERAL_MALFORMED, COLLATERAL_FORGED.
 */
export function verifyDocument(
  document: SignedDocument,
  member: SignedMember,
  anchor: TrustAnchor,
): ProvenDocument {
  const { text, signature } = readDocument(document.body, member);
  const { signer, chain } = verifySigner(document.issuerChain, anchor);
  const { publicKey: key } = signer;
  const isP256 = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isP256 || !verify('sha256', toUtf8(text), { key, dsaEncoding: 'ieee-p1363' }, signature)) {
    throw forged(`a signature of '${nameOf(signer)}' over the bytes of ${member}`);
  }
  return { value: parseJson(text), signers: chain };
}

function readDocument(
  body: Uint8Array,
  member: SignedMember,
): { readonly text: string; readonly signature: Uint8Array } {
  if (body.byteLength > MAX_DOCUMENT_BYTES) {
    throw malformed(`at most ${MAX_DOCUMENT_BYTES} bytes with ${member}, got ${body.byteLength}`);
  }
  const members = membersOf(body, member);
  const text = members.get(member);
  const signature = SIGNATURE.exec(members.get('signature') ?? '')?.[1];
  if (members.size !== 2 || text === undefined || signature === undefined) {
    throw malformed(`${member} and a signature of 64 bytes in hex, and nothing beside`);
  }
  return { text, signature: fromHex(signature) };
}

function membersOf(body: Uint8Array, member: SignedMember): ReadonlyMap<string, string> {
  try {
    return rawMembers(fromUtf8(body));
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformed(`a JSON object with ${member}`, cause);
  }
}

function verifySigner(
  ders: readonly Uint8Array[],
  anchor: TrustAnchor,
): { readonly signer: VerifiedCertificate; readonly chain: readonly Certificate[] } {
  const [leaf, ...others] = parseChain(ders);
  if (leaf?.commonName?.includes(SIGNER_NAME) !== true) {
    throw forged(`a signer named '${SIGNER_NAME}', got '${leaf === undefined ? 'none' : nameOf(leaf)}'`);
  }
  try {
    const at = beginningOf([leaf, ...others]);
    return { signer: verifyChain([leaf, ...others], [anchor], { at }), chain: [leaf, ...others] };
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw forged(`'${nameOf(leaf)}' to lead to '${anchor.name}'`, cause);
  }
}

/** A chain is proven for the first moment at which all of it is valid. Whether it is valid now changes, and is asked at each use. */
function beginningOf(chain: readonly Certificate[]): Date {
  return new Date(Math.max(...chain.map(({ validity }) => validity.notBefore.getTime())));
}

function parseChain(ders: readonly Uint8Array[]): readonly Certificate[] {
  try {
    return ders.map(parseCertificate);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformed('certificates beside a document', cause);
  }
}

function malformed(expected: string, cause?: unknown): TcbError {
  return new TcbError('COLLATERAL_MALFORMED', `expected ${expected}`, { cause });
}

function forged(expected: string, cause?: unknown): TcbError {
  return new TcbError('COLLATERAL_FORGED', `expected ${expected}`, { cause });
}
