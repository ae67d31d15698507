import type { Certificate } from '../x509/certificate.ts';
import { nameOf, type VerifiedCertificate } from '../x509/chain.ts';
import { isRevoked, type VerifiedRevocationList } from '../x509/crl.ts';
import type { IntelAnchor } from './anchors.ts';
import {
  type CollateralDates,
  datesOf as datesOfAll,
  type FreshnessOptions,
  type RevocationStatus,
  requireFresh,
  revocationStatusOf,
} from './collateral-dates.ts';
import type { DcapCollateral, PlatformQuery } from './dcap-collateral.ts';
import { type CollateralProver, createCollateralProver, type ProvenRoot } from './proven-collateral.ts';
import type { QeIdentity } from './qe-identity.ts';
import { TcbError } from './tcb-error.ts';
import type { TcbInfo } from './tcb-info.ts';

declare const proof: unique symbol;

/** The PCK certificate that a quote came with, proven up to an anchor. */
export interface PlatformPck extends ProvenRoot {
  readonly leaf: VerifiedCertificate;
  readonly intermediate: VerifiedCertificate;
  readonly extension: {
    /** Twelve upper-case hex digits. */
    readonly fmspc: string;
    /** Four upper-case hex digits. */
    readonly pceId: string;
  };
}

/** Whom the collateral has to speak for. */
export interface CollateralSubject {
  readonly tee: PlatformQuery['tee'];
  readonly pck: PlatformPck;
}

/** What Intel signed about one platform, proven, speaking for it, and as fresh as is asked. Only a collateral verifier makes one. */
export interface VerifiedCollateral {
  readonly [proof]: 'collateral';
  readonly tcbInfo: TcbInfo;
  readonly qeIdentity: QeIdentity;
  readonly rootList: VerifiedRevocationList | undefined;
  readonly pckList: VerifiedRevocationList | undefined;
  readonly revocation: RevocationStatus;
  readonly dates: CollateralDates;
  readonly anchor: IntelAnchor;
}

/**
 * Verifies collateral for a platform at a time. What was signed is proven before it is compared, what speaks against the platform is
 * said before that something is out of date.
 * Throws TcbError; CouldNotCheckError COLLATERAL_UNAVAILABLE (not valid yet), COLLATERAL_EXPIRED, REVOCATION_LIST_UNAVAILABLE,
 * REVOCATION_LIST_EXPIRED.
 */
export type CollateralVerifier = (
  raw: DcapCollateral,
  subject: CollateralSubject,
  at: Date,
) => VerifiedCollateral;

const QE_OF_TEE = { sgx: 'QE', tdx: 'TD_QE' } as const;

/** What does not depend on the very platform is verified once; dates are compared and serial numbers looked up at each use. */
export function createCollateralVerifier(options: FreshnessOptions): CollateralVerifier {
  const prover = createCollateralProver();
  const datesOf = createDates();
  return (raw, subject, at) => {
    const { pck, tee } = subject;
    const tcbInfo = prover.tcbInfo(raw.tcbInfo, pck);
    const qeIdentity = prover.qeIdentity(raw.qeIdentity, pck);
    const lists = proveLists(prover, raw, pck);
    requireSubject(tcbInfo.value, subject);
    requireQeOf(tee, qeIdentity.value);
    requireNotRevoked(lists, pck, [...tcbInfo.signers, ...qeIdentity.signers]);
    const signed = [tcbInfo, qeIdentity];
    requireFresh(signed, options, at);
    const revocation = revocationStatusOf([lists.rootList, lists.pckList], options, at);
    const dates = datesOf(pck, signed, lists);
    return verified({
      tcbInfo: tcbInfo.value,
      qeIdentity: qeIdentity.value,
      ...lists,
      revocation,
      dates,
      anchor: pck.anchor,
    });
  };
}

type Dates = (pck: PlatformPck, signed: Parameters<typeof datesOfAll>[0], lists: Lists) => CollateralDates;

/** A platform meets the same collateral again and again. */
function createDates(): Dates {
  const known = new WeakMap<
    PlatformPck,
    { readonly of: readonly unknown[]; readonly dates: CollateralDates }
  >();
  return (pck, signed, lists) => {
    const of = [...signed, lists.rootList, lists.pckList];
    const last = known.get(pck);
    if (last?.of.every((each, index) => each === of[index]) === true) return last.dates;
    const dates = datesOfAll(signed, lists, [pck.leaf, pck.intermediate, pck.root]);
    known.set(pck, { of, dates });
    return dates;
  };
}

interface Lists {
  readonly rootList: VerifiedRevocationList | undefined;
  readonly pckList: VerifiedRevocationList | undefined;
}

/** The certificates beside the PCK's list add nothing: its issuer has to be that of the PCK, which is proven. */
function proveLists(prover: CollateralProver, { rootCrl, pckCrl }: DcapCollateral, pck: PlatformPck): Lists {
  return {
    rootList: rootCrl && prover.revocationList(rootCrl, pck.root),
    pckList: pckCrl && prover.revocationList(pckCrl.der, pck.intermediate),
  };
}

function requireSubject(tcbInfo: TcbInfo, { tee, pck }: CollateralSubject): void {
  const { fmspc, pceId } = pck.extension;
  const isOurs = tcbInfo.tee === tee && tcbInfo.fmspc === fmspc && tcbInfo.pceId === pceId;
  if (isOurs) return;
  throw new TcbError(
    'TCB_INFO_MISMATCH',
    `expected a TCB info for ${tee} with FMSPC ${fmspc} and PCEID ${pceId}, ` +
      `got ${tcbInfo.tee} with ${tcbInfo.fmspc} and ${tcbInfo.pceId}`,
  );
}

function requireQeOf(tee: PlatformQuery['tee'], { id }: QeIdentity): void {
  if (id === QE_OF_TEE[tee]) return;
  throw new TcbError('QE_IDENTITY_MISMATCH', `expected the identity of ${QE_OF_TEE[tee]}, got that of ${id}`);
}

function requireNotRevoked(
  { rootList, pckList }: Lists,
  { leaf, intermediate, root }: PlatformPck,
  signers: readonly Certificate[],
): void {
  const isListed = (list: VerifiedRevocationList | undefined, { serial }: Certificate): boolean =>
    list !== undefined && isRevoked(list, serial);
  const authority = [intermediate, root].find((certificate) => isListed(rootList, certificate));
  if (authority !== undefined) throw revoked('PCK_AUTHORITY_REVOKED', authority);
  const signer = signers.find((certificate) => isListed(rootList, certificate));
  if (signer !== undefined) throw revoked('TCB_SIGNER_REVOKED', signer);
  if (isListed(pckList, leaf)) throw revoked('PCK_REVOKED', leaf);
}

function revoked(
  code: 'PCK_REVOKED' | 'PCK_AUTHORITY_REVOKED' | 'TCB_SIGNER_REVOKED',
  certificate: Certificate,
): TcbError {
  return new TcbError(
    code,
    `expected '${nameOf(certificate)}' (serial ${certificate.serial}) in force, its issuer revoked it`,
  );
}

function verified(collateral: Omit<VerifiedCollateral, typeof proof>): VerifiedCollateral {
  return collateral as VerifiedCollateral;
}
