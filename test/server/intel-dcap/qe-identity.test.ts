import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { type QeReport, readQeIdentity, verifyQeReport } from '../../../server/intel-dcap/qe-identity.ts';
import { fakeComponentLevel, fakeQeIdentity } from '../../fakes/fake-intel-documents.ts';
import { QE_REPORT } from './tcb-setup.ts';

const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;

describe('readQeIdentity', () => {
  it.each(['QE', 'QVE', 'TD_QE'])('reads that of %s', (id) => {
    expect(readQeIdentity(fakeQeIdentity(id))).toMatchObject({
      id,
      evaluationNumber: 17,
      isvProdId: 2,
      mrSigner: QE_REPORT.mrSigner,
      levels: [{ isvSvn: 8, status: 'UpToDate' }],
    });
  });

  it.each([1, 3])('refuses version %i', (version) => {
    expect(() => readQeIdentity(fakeQeIdentity('QE', { version }))).toThrow(
      refusal('QE_IDENTITY_VERSION_UNSUPPORTED'),
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ['another enclave', { id: 'PCE' }],
    ['no levels', { tcbLevels: [] }],
    ['a status of platforms', { tcbLevels: [fakeComponentLevel(1, { tcbStatus: 'SWHardeningNeeded' })] }],
    ['a short mask', { miscselectMask: 'FFFFFF' }],
    ['no mask', { attributesMask: undefined }],
    ['a signer that is not hex', { mrsigner: 'x'.repeat(64) }],
    ['a product id beyond 16 bits', { isvprodid: 65_536 }],
  ])('refuses %s', (_what, overrides) => {
    expect(() => readQeIdentity(fakeQeIdentity('QE', overrides))).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('never throws a foreign error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(fakeQeIdentity('QE'))), fc.jsonValue(), (member, other) => {
        try {
          readQeIdentity(fakeQeIdentity('QE', { [member]: other }));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

describe('verifyQeReport', () => {
  const identity = readQeIdentity(
    fakeQeIdentity('QE', {
      tcbLevels: [fakeComponentLevel(8), fakeComponentLevel(6, { tcbStatus: 'OutOfDate' })],
    }),
  );

  it('finds the level of the version', () => {
    expect(verifyQeReport(QE_REPORT, identity).status).toBe('UpToDate');
    expect(verifyQeReport({ ...QE_REPORT, isvSvn: 7 }, identity).status).toBe('OutOfDate');
  });

  it('looks at attributes through the mask', () => {
    // FB leaves out bit 2, and XFRM is left out as a whole.
    const attributes = Uint8Array.from(QE_REPORT.attributes);
    attributes[0]! |= 4;
    attributes[8] = 0xe7;
    expect(verifyQeReport({ ...QE_REPORT, attributes }, identity).status).toBe('UpToDate');
  });

  it.each<[string, Partial<QeReport>]>([
    ['MISCSELECT', { miscSelect: Uint8Array.of(1, 0, 0, 0) }],
    ['ATTRIBUTES, as of a debug enclave', { attributes: flipped(QE_REPORT.attributes, 0, 2) }],
    ['ATTRIBUTES at the end of the flags', { attributes: flipped(QE_REPORT.attributes, 7, 0x80) }],
    ['MRSIGNER', { mrSigner: flipped(QE_REPORT.mrSigner, 31, 1) }],
    ['ISVPRODID', { isvProdId: 1 }],
  ])('refuses another %s', (_what, overrides) => {
    expect(() => verifyQeReport({ ...QE_REPORT, ...overrides }, identity)).toThrow(
      refusal('QE_IDENTITY_MISMATCH'),
    );
  });

  it('refuses a version below all levels', () => {
    expect(() => verifyQeReport({ ...QE_REPORT, isvSvn: 5 }, identity)).toThrow(
      refusal('TCB_LEVEL_NOT_FOUND'),
    );
  });
});

function flipped(bytes: Uint8Array, index: number, bit: number): Uint8Array {
  return bytes.map((byte, at) => (at === index ? byte ^ bit : byte));
}
