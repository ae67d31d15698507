import 'reflect-metadata';
import { KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { intelAnchorsFromCertificates } from '../../../server/intel-dcap/anchors.ts';
import { createCollateralVerifier, type PlatformPck } from '../../../server/intel-dcap/collateral.ts';
import type { DcapCollateral } from '../../../server/intel-dcap/dcap-collateral.ts';
import type { QeReport } from '../../../server/intel-dcap/qe-identity.ts';
import {
  appraiseTcb,
  type PlatformReport,
  type TcbAppraisal,
  type TdTcbReport,
} from '../../../server/intel-dcap/tcb-appraisal.ts';
import { verifyChain } from '../../../server/x509/chain.ts';
import {
  FAKE_PLATFORM,
  FAKE_QE,
  fakeQeIdentity,
  fakeSgxTcbInfo,
  fakeTdxTcbInfo,
  signFakeDocument,
} from '../../fakes/fake-intel-documents.ts';
import {
  ALGORITHMS,
  FROM,
  issue,
  NOW,
  type TestCertificate,
  type TestCertificateOptions,
} from '../x509/test-pki.ts';

export { NOW };
export const LIST_FROM = new Date('2026-05-20T00:00:00Z');
export const LIST_UNTIL = new Date('2026-06-19T00:00:00Z');
export const LEAF_SERIAL = '0c';

export interface FakeListOptions {
  readonly revoked?: readonly string[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
  readonly number?: number;
}

/** An Intel of our own: root, PCK authority and leaf, TCB signer. */
export interface TestIntel {
  readonly root: TestCertificate;
  readonly intermediate: TestCertificate;
  readonly signer: TestCertificate;
  readonly pck: PlatformPck;
}

const LISTS_AND_CERTIFICATES = [
  new x509.BasicConstraintsExtension(true, undefined, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
];

export async function createTestIntel(
  options: Partial<Record<'signer', TestCertificateOptions & { readonly name?: string }>> = {},
): Promise<TestIntel> {
  const authority = { authority: undefined, extra: LISTS_AND_CERTIFICATES };
  const root = await issue('Intel SGX Root CA', { ...authority, serial: '0a' });
  const intermediate = await issue('Intel SGX PCK Platform CA', { ...authority, issuer: root, serial: '0b' });
  const leaf = await issue('Intel SGX PCK Certificate', {
    issuer: intermediate,
    authority: undefined,
    serial: LEAF_SERIAL,
  });
  const { name = 'Intel SGX TCB Signing', ...signerOptions } = options.signer ?? {};
  const signer = await issue(name, { issuer: root, authority: undefined, serial: '0d', ...signerOptions });
  const [anchor] = intelAnchorsFromCertificates([root.certificate]);
  const chain = [leaf, intermediate, root].map(({ certificate }) => certificate);
  const [first, second, third] = [0, 1, 2].map((start) => {
    const [one, ...others] = chain.slice(start);
    return verifyChain([one!, ...others], [anchor], { at: NOW });
  });
  const { fmspc, pceId } = FAKE_PLATFORM;
  return {
    root,
    intermediate,
    signer,
    pck: { leaf: first!, intermediate: second!, root: third!, anchor, extension: { fmspc, pceId } },
  };
}

/** A revocation list of one of its authorities. */
export async function fakeList(issuer: TestCertificate, options: FakeListOptions = {}): Promise<Uint8Array> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.native.subject,
    thisUpdate: options.thisUpdate ?? LIST_FROM,
    nextUpdate: options.nextUpdate ?? LIST_UNTIL,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHMS[issuer.algorithm],
    entries: (options.revoked ?? ['77']).map((serialNumber) => ({ serialNumber, revocationDate: FROM })),
    extensions: [new x509.Extension('2.5.29.20', false, Uint8Array.of(2, 1, options.number ?? 1))],
  });
  return new Uint8Array(list.rawData);
}

export function keyOf({ keys }: TestCertificate): KeyObject {
  return KeyObject.from(keys.privateKey);
}

export interface FakeCollateralOptions {
  readonly tcbInfo?: Readonly<Record<string, unknown>>;
  readonly qeIdentity?: Readonly<Record<string, unknown>>;
  readonly pckList?: FakeListOptions;
  readonly rootList?: FakeListOptions;
}

/** What Intel signs for the fake platform; every part may be another. */
export async function fakeCollateral(
  intel: TestIntel,
  tee: 'sgx' | 'tdx',
  overrides: FakeCollateralOptions = {},
): Promise<DcapCollateral> {
  const issuerChain = [intel.signer, intel.root].map(({ certificate }) => certificate.der);
  const tcbInfo = (tee === 'sgx' ? fakeSgxTcbInfo : fakeTdxTcbInfo)(overrides.tcbInfo);
  const identity = fakeQeIdentity(tee === 'sgx' ? 'QE' : 'TD_QE', overrides.qeIdentity);
  const key = keyOf(intel.signer);
  return {
    tcbInfo: { body: signFakeDocument('tcbInfo', tcbInfo, key), issuerChain },
    qeIdentity: { body: signFakeDocument('enclaveIdentity', identity, key), issuerChain },
    pckCrl: { der: await fakeList(intel.intermediate, overrides.pckList), issuerChain: [] },
    rootCrl: await fakeList(intel.root, overrides.rootList),
  };
}

export const QE_REPORT: QeReport = {
  miscSelect: Buffer.from(FAKE_QE.miscselect, 'hex'),
  attributes: Buffer.from(FAKE_QE.attributes, 'hex'),
  mrSigner: Buffer.from(FAKE_QE.mrsigner, 'hex'),
  isvProdId: 2,
  isvSvn: FAKE_QE.isvsvn,
};

export const TD_REPORT: TdTcbReport = {
  teeTcbSvn: Uint8Array.from(FAKE_PLATFORM.teeTcbSvn),
  teeTcbSvn2: undefined,
  mrSignerSeam: new Uint8Array(48),
  seamAttributes: new Uint8Array(8),
};

/** How the fake platform, or another that a test chooses, stands by collateral that it chooses. */
export type Appraise = (
  tee: 'sgx' | 'tdx',
  documents: FakeCollateralOptions,
  report?: Partial<PlatformReport>,
) => Promise<TcbAppraisal>;

export function appraiseWith(intel: TestIntel): Appraise {
  const verifier = createCollateralVerifier({ revocation: 'required', maxStaleSeconds: 0 });
  return async (tee, documents, report = {}) => {
    const raw = await fakeCollateral(intel, tee, documents);
    const tdReport = tee === 'tdx' ? TD_REPORT : undefined;
    return appraiseTcb(verifier(raw, { tee, pck: intel.pck }, NOW), {
      tcb: FAKE_PLATFORM,
      qeReport: QE_REPORT,
      tdReport,
      ...report,
    });
  };
}

/** TEE_TCB_SVN with one component changed. */
export function withSvn(
  index: number,
  svn: number,
  of: ArrayLike<number> = FAKE_PLATFORM.teeTcbSvn,
): Uint8Array {
  return Uint8Array.from(of, (each, at) => (at === index ? svn : each));
}
