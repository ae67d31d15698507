import { type KeyObject, sign } from 'node:crypto';

/** A member of a document as Intel writes it, or as a test would rather have it. */
type Members = Readonly<Record<string, unknown>>;

/** What the fake platform of these documents has when it is up to date. */
export const FAKE_PLATFORM = {
  fmspc: '50806F000000',
  pceId: '0000',
  components: [2, 2, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
  pceSvn: 13,
  /** TDX module 1.5 of version 6, microcode 4. */
  teeTcbSvn: [6, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
} as const;

export const FAKE_QE = {
  miscselect: '00000000',
  attributes: '11000000000000000000000000000000',
  mrsigner: 'DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5',
  isvsvn: 8,
} as const;

const ISSUED = { issueDate: '2026-05-15T00:00:00Z', nextUpdate: '2026-06-14T00:00:00Z' };
const EVALUATION = { tcbEvaluationDataNumber: 17 };
const LEVEL_DATE = '2024-03-13T00:00:00Z';
/** Intel signs its TDX modules as nobody, and they have no attributes. */
export const FAKE_MODULE_SIGNER = {
  mrsigner: '00'.repeat(48),
  attributes: '0000000000000000',
  attributesMask: 'FFFFFFFFFFFFFFFF',
};

/** A level of platforms as version 3 has it. `tdx` is left out for SGX. */
export function fakePlatformLevel(
  sgx: readonly number[],
  tdx: readonly number[] | undefined,
  overrides: Members = {},
): Members {
  const entries = (svns: readonly number[]): readonly Members[] =>
    svns.map((svn, index) =>
      index === 0 ? { svn, category: 'BIOS', type: 'Early Microcode Update' } : { svn },
    );
  return {
    tcb: {
      sgxtcbcomponents: entries(sgx),
      pcesvn: FAKE_PLATFORM.pceSvn,
      ...(tdx && { tdxtcbcomponents: entries(tdx) }),
    },
    tcbDate: LEVEL_DATE,
    tcbStatus: 'UpToDate',
    ...overrides,
  };
}

/** A level of something with one version: a TDX module, a quoting enclave. */
export function fakeComponentLevel(isvsvn: number, overrides: Members = {}): Members {
  return { tcb: { isvsvn }, tcbDate: LEVEL_DATE, tcbStatus: 'UpToDate', ...overrides };
}

/** The value of `tcbInfo`, version 3, for SGX. */
export function fakeSgxTcbInfo(overrides: Members = {}): Members {
  return {
    id: 'SGX',
    version: 3,
    ...ISSUED,
    fmspc: FAKE_PLATFORM.fmspc,
    pceId: FAKE_PLATFORM.pceId,
    tcbType: 0,
    ...EVALUATION,
    tcbLevels: [fakePlatformLevel(FAKE_PLATFORM.components, undefined)],
    ...overrides,
  };
}

/** The value of `tcbInfo`, version 2: SGX, without an id, the components flat. */
export function fakeTcbInfoOfVersion2(overrides: Members = {}): Members {
  const flat = FAKE_PLATFORM.components.map((svn, index) => [
    `sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`,
    svn,
  ]);
  return {
    version: 2,
    ...ISSUED,
    fmspc: FAKE_PLATFORM.fmspc,
    pceId: FAKE_PLATFORM.pceId,
    tcbType: 0,
    ...EVALUATION,
    tcbLevels: [
      {
        tcb: { ...(Object.fromEntries(flat) as Members), pcesvn: FAKE_PLATFORM.pceSvn },
        tcbDate: LEVEL_DATE,
        tcbStatus: 'UpToDate',
      },
    ],
    ...overrides,
  };
}

/** The value of `tcbInfo`, version 3, for TDX, with the identities of two modules. */
export function fakeTdxTcbInfo(overrides: Members = {}): Members {
  return {
    id: 'TDX',
    version: 3,
    ...ISSUED,
    fmspc: FAKE_PLATFORM.fmspc,
    pceId: FAKE_PLATFORM.pceId,
    tcbType: 0,
    ...EVALUATION,
    tdxModule: FAKE_MODULE_SIGNER,
    tdxModuleIdentities: [
      { id: 'TDX_03', ...FAKE_MODULE_SIGNER, tcbLevels: [fakeComponentLevel(3)] },
      { id: 'TDX_01', ...FAKE_MODULE_SIGNER, tcbLevels: [fakeComponentLevel(6)] },
    ],
    tcbLevels: [fakePlatformLevel(FAKE_PLATFORM.components, FAKE_PLATFORM.teeTcbSvn)],
    ...overrides,
  };
}

/** The value of `enclaveIdentity`, version 2: `QE` for SGX, `TD_QE` for TDX. */
export function fakeQeIdentity(id: string, overrides: Members = {}): Members {
  const { isvsvn, ...recognized } = FAKE_QE;
  return {
    id,
    version: 2,
    ...ISSUED,
    ...EVALUATION,
    ...recognized,
    miscselectMask: 'FFFFFFFF',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    isvprodid: 2,
    tcbLevels: [fakeComponentLevel(isvsvn)],
    ...overrides,
  };
}

/** The whole document as Intel's service sends it: the signature (P-256, r ‖ s) covers the member's text. */
export function signFakeDocument(
  member: 'tcbInfo' | 'enclaveIdentity',
  value: Members,
  key: KeyObject,
): Uint8Array {
  const text = JSON.stringify(value);
  return Buffer.from(`{"${member}":${text},"signature":"${signFakeText(text, key)}"}`);
}

/** The signature over any text, hex. */
export function signFakeText(text: string, key: KeyObject): string {
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('hex');
}
