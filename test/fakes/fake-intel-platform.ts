import type { DcapCollateral } from '../../server/intel-dcap/dcap-collateral.ts';
import type { FakeIntel, FakeQuoteOptions } from './fake-intel.ts';
import type { FakeIntelListOptions } from './fake-intel-certificates.ts';
import {
  FAKE_PLATFORM,
  FAKE_QE,
  fakeQeIdentity,
  fakeSgxTcbInfo,
  fakeTdxTcbInfo,
  signFakeDocument,
} from './fake-intel-documents.ts';

type Members = Readonly<Record<string, unknown>>;
type Tee = 'sgx' | 'tdx';

/** What a test chooses about what Intel signed; the rest is as it should be. */
export interface FakeCollateralOverrides {
  readonly tcbInfo?: Members;
  readonly qeIdentity?: Members;
  readonly pckList?: FakeIntelListOptions;
  readonly rootList?: FakeIntelListOptions;
}

/** A platform that is up to date by the documents of `fake-intel-documents.ts`, whose quotes and collateral belong together. */
export interface FakeIntelPlatform {
  quote(tee: Tee, options?: FakeQuoteOptions): Promise<Uint8Array>;
  collateral(tee: Tee, overrides?: FakeCollateralOverrides): Promise<DcapCollateral>;
}

export async function createFakeIntelPlatform(intel: FakeIntel): Promise<FakeIntelPlatform> {
  const { fmspc, pceId, components, pceSvn, teeTcbSvn } = FAKE_PLATFORM;
  const pck = await intel.pck({ fmspc, pceId, components, pceSvn, cpuSvn: Uint8Array.from(components) });
  const { chain: issuerChain, privateKey } = intel.tcbSigning;
  const qeSigner = Buffer.from(FAKE_QE.mrsigner, 'hex');
  const moduleOf = { teeTcbSvn: Uint8Array.from(teeTcbSvn), teeTcbSvn2: Uint8Array.from(teeTcbSvn) };
  return {
    async quote(tee, options = {}) {
      return await intel.quote({
        version: tee === 'sgx' ? 3 : 4,
        pck,
        ...options,
        td: { ...moduleOf, ...options.td },
        qe: { flags: 0x11n, mrSigner: qeSigner, isvSvn: FAKE_QE.isvsvn, ...options.qe },
      });
    },
    async collateral(tee, { tcbInfo, qeIdentity, pckList, rootList } = {}) {
      const info = (tee === 'sgx' ? fakeSgxTcbInfo : fakeTdxTcbInfo)(tcbInfo);
      const identity = fakeQeIdentity(tee === 'sgx' ? 'QE' : 'TD_QE', qeIdentity);
      return {
        tcbInfo: { body: signFakeDocument('tcbInfo', info, privateKey), issuerChain },
        qeIdentity: { body: signFakeDocument('enclaveIdentity', identity, privateKey), issuerChain },
        pckCrl: { der: await intel.pckCrl('platform', pckList), issuerChain: intel.issuerChain('platform') },
        rootCrl: await intel.rootCrl(rootList),
      };
    },
  };
}
