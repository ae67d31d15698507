import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { type ProvenDocument, verifyDocument } from '../../../server/intel-dcap/document-signature.ts';
import { anchorFromSelfSigned, type TrustAnchor } from '../../../server/x509/chain.ts';
import {
  fakeQeIdentity,
  fakeSgxTcbInfo,
  signFakeDocument,
  signFakeText,
} from '../../fakes/fake-intel-documents.ts';
import { issue, type TestCertificate } from '../x509/test-pki.ts';
import { createTestIntel, keyOf, type TestIntel } from './tcb-setup.ts';

const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const SIGNATURE_HEX = '00'.repeat(64);

describe('verifyDocument', () => {
  let intel: TestIntel;
  let anchor: TrustAnchor;
  let body: Uint8Array;

  beforeAll(async () => {
    intel = await createTestIntel();
    anchor = intel.pck.anchor;
    body = signFakeDocument('tcbInfo', fakeSgxTcbInfo(), keyOf(intel.signer));
  });

  const chainOf = (...certificates: readonly TestCertificate[]): readonly Uint8Array[] =>
    certificates.map(({ certificate }) => certificate.der);
  const verify = (text: Uint8Array, issuerChain = chainOf(intel.signer, intel.root)): ProvenDocument =>
    verifyDocument({ body: text, issuerChain }, 'tcbInfo', anchor);
  const signed = (value: string): string => signFakeText(value, keyOf(intel.signer));

  it('proves what Intel signed, with or without the root beside', () => {
    expect(verify(body)).toMatchObject({
      value: fakeSgxTcbInfo(),
      signers: [intel.signer.certificate, intel.root.certificate].map(({ serial }) => ({ serial })),
    });
    expect(verify(body, chainOf(intel.signer)).signers).toHaveLength(1);
  });

  it('takes the bytes as they came, in any order of the members', () => {
    const value = '{ "id" : "SGX",\n\t"svn":1.0, "note": "},\\"signature\\":\\u007b" }';
    for (const text of [
      ` {\n "tcbInfo" : ${value} , "signature":"${signed(value)}"}\n`,
      `{"signature": "${signed(value).toUpperCase()}","tcbInfo":${value}}`,
    ]) {
      expect(verify(bytes(text)).value).toEqual(JSON.parse(value));
    }
  });

  it('does not accept the same value written in another way', () => {
    const value = '{"a":1}';
    const text = `{"tcbInfo":{"a": 1},"signature":"${signed(value)}"}`;
    expect(() => verify(bytes(text))).toThrow(refusal('COLLATERAL_FORGED'));
  });

  it('does not accept a document of the other kind', () => {
    const other = signFakeDocument('enclaveIdentity', fakeQeIdentity('QE'), keyOf(intel.signer));
    expect(() => verify(other)).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('refuses every flipped bit of what is signed, and of the signature', () => {
    const start = '{"tcbInfo":'.length;
    for (let index = start; index < body.byteLength - 2; index += 3) {
      const flipped = Uint8Array.from(body);
      flipped[index]! ^= 1;
      expect(() => verify(flipped)).toThrow(CodedError);
    }
  });

  it.each([
    ['nothing', ''],
    ['an array', '[]'],
    ['a member twice', `{"tcbInfo":{},"tcbInfo":{},"signature":"${SIGNATURE_HEX}"}`],
    ['a member twice, spelt in two ways', `{"tcbInfo":{},"tcbInf\\u006f":{},"signature":"${SIGNATURE_HEX}"}`],
    ['a member twice inside', `{"tcbInfo":{"a":1,"a":2},"signature":"${SIGNATURE_HEX}"}`],
    ['no signature', '{"tcbInfo":{}}'],
    ['no value', `{"signature":"${SIGNATURE_HEX}"}`],
    ['a member beside', `{"tcbInfo":{},"signature":"${SIGNATURE_HEX}","more":1}`],
    ['a short signature', '{"tcbInfo":{},"signature":"00"}'],
    ['a signature that is not hex', `{"tcbInfo":{},"signature":"${'x'.repeat(128)}"}`],
    ['a signature that is no text', '{"tcbInfo":{},"signature":1}'],
    ['an end too early', '{"tcbInfo":{'],
    ['too many levels', `{"tcbInfo":${'['.repeat(80)}${']'.repeat(80)},"signature":"${SIGNATURE_HEX}"}`],
  ])('refuses %s', (_what, text) => {
    expect(() => verify(bytes(text))).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('refuses what is not UTF-8 or too large', () => {
    expect(() => verify(Uint8Array.of(0x7b, 0xff, 0x7d))).toThrow(refusal('COLLATERAL_MALFORMED'));
    expect(() => verify(new Uint8Array((1 << 20) + 1))).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('refuses a signature of zeros', () => {
    expect(() => verify(bytes(`{"tcbInfo":{},"signature":"${SIGNATURE_HEX}"}`))).toThrow(
      refusal('COLLATERAL_FORGED'),
    );
  });

  it('refuses a signer that leads to another root of the same name', async () => {
    const other = await createTestIntel();
    const forged = signFakeDocument('tcbInfo', fakeSgxTcbInfo(), keyOf(other.signer));
    expect(() => verify(forged, chainOf(other.signer, other.root))).toThrow(refusal('COLLATERAL_FORGED'));
    expect(() => verify(forged, chainOf(other.signer, intel.root))).toThrow(refusal('COLLATERAL_FORGED'));
    expect(() => verify(forged)).toThrow(refusal('COLLATERAL_FORGED'));
  });

  it('refuses another certificate of the same root in place of the signer', () => {
    const key = keyOf(intel.intermediate);
    const forged = signFakeDocument('tcbInfo', fakeSgxTcbInfo(), key);
    expect(() => verify(forged, chainOf(intel.intermediate, intel.root))).toThrow(
      refusal('COLLATERAL_FORGED'),
    );
  });

  it('refuses a signer below one that is no authority', async () => {
    const below = await issue('Intel SGX TCB Signing', { issuer: intel.signer, authority: undefined });
    const forged = signFakeDocument('tcbInfo', fakeSgxTcbInfo(), keyOf(below));
    expect(() => verify(forged, chainOf(below, intel.signer, intel.root))).toThrow(
      refusal('COLLATERAL_FORGED'),
    );
  });

  it('refuses a key that is not on P-256', async () => {
    const { signer, root, pck } = await createTestIntel({ signer: { algorithm: 'P-384' } });
    const forged = signFakeDocument('tcbInfo', fakeSgxTcbInfo(), keyOf(signer));
    const document = { body: forged, issuerChain: chainOf(signer, root) };
    expect(() => verifyDocument(document, 'tcbInfo', pck.anchor)).toThrow(CodedError);
    const text = '{}';
    const short = signFakeText(text, keyOf(signer)).slice(0, 128);
    const cut = { ...document, body: bytes(`{"tcbInfo":${text},"signature":"${short}"}`) };
    expect(() => verifyDocument(cut, 'tcbInfo', pck.anchor)).toThrow(refusal('COLLATERAL_FORGED'));
  });

  it('refuses no chain, and one that is not of certificates', () => {
    expect(() => verify(body, [])).toThrow(refusal('COLLATERAL_FORGED'));
    expect(() => verify(body, [Uint8Array.of(0x30, 0)])).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('proves a signer whose time is over, for the caller to judge', async () => {
    const past = { notBefore: new Date('2026-01-02T00:00:00Z'), notAfter: new Date('2026-02-01T00:00:00Z') };
    const old = await createTestIntel({ signer: past });
    const document = {
      body: signFakeDocument('tcbInfo', fakeSgxTcbInfo(), keyOf(old.signer)),
      issuerChain: chainOf(old.signer, old.root),
    };
    const [signer] = verifyDocument(document, 'tcbInfo', anchorFromSelfSigned(old.root.certificate)).signers;
    expect(signer!.validity).toEqual(past);
  });

  it('never throws a foreign error', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => `{"tcbInfo":${json},"signature":"${SIGNATURE_HEX}"}`),
    );
    fc.assert(
      fc.property(text, (json) => {
        expect(() => verify(bytes(json))).toThrow(CodedError);
      }),
    );
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < body.byteLength; length += 7) {
      expect(() => verify(body.subarray(0, length))).toThrow(refusal('COLLATERAL_MALFORMED'));
    }
  });

  it('proves whatever JSON Intel may sign', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const json = JSON.stringify(value, undefined, indent);
        fc.pre(!/__proto__|constructor|prototype/.test(json));
        expect(verify(bytes(`{"tcbInfo":${json},"signature":"${signed(json)}"}`)).value).toEqual(
          JSON.parse(json),
        );
      }),
      { numRuns: 50 },
    );
  });
});
