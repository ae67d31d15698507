import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  anchorFromSelfSigned,
  type Chain,
  MAX_CHAIN_LENGTH,
  requireValidAt,
  type TrustAnchor,
  verifyChain,
  verifyWholeChain,
} from '../../../server/x509/chain.ts';
import { createPki, FROM, issue, NOW, type TestCertificateOptions, type TestPki, UNTIL } from './test-pki.ts';

const unknown = new x509.Extension('1.2.3.4', true, Uint8Array.of(5, 0));
type Broken = Partial<Record<'root' | 'intermediate' | 'leaf', TestCertificateOptions>>;

describe('verifyChain', () => {
  let pki: TestPki;
  let anchor: TrustAnchor;

  beforeAll(async () => {
    pki = await createPki();
    anchor = anchorFromSelfSigned(pki.root.certificate);
  });

  it('accepts a chain that an anchor signed, with or without the anchor in it', () => {
    expect(verifyChain(pki.chain, [anchor], { at: NOW })).toBe(pki.leaf.certificate);
    const whole: Chain = [...pki.chain, pki.root.certificate];
    expect(verifyChain(whole, [anchor], { at: NOW })).toBe(pki.leaf.certificate);
  });

  it('accepts an anchor as its own chain', () => {
    expect(verifyChain([pki.root.certificate], [anchor], { at: NOW })).toBe(pki.root.certificate);
  });

  it('finds the anchor among others of another kind', async () => {
    const rsa = anchorFromSelfSigned((await issue('other', { algorithm: 'RSA-PKCS1' })).certificate);
    expect(verifyChain(pki.chain, [rsa, anchor], { at: NOW })).toBe(pki.leaf.certificate);
  });

  it('leaves critical extensions to callers that read them', async () => {
    const { chain, root } = await createPki({ leaf: { extra: [unknown] } });
    const options = { at: NOW, handledExtensions: new Set(['1.2.3.4']) };
    expect(verifyChain(chain, [anchorFromSelfSigned(root.certificate)], options)).toBe(chain[0]);
  });

  it.each<[string, string, Broken]>([
    [
      'an intermediate that is no authority',
      'CERTIFICATE_NOT_AUTHORITY',
      { intermediate: { authority: { ca: false } } },
    ],
    [
      'an intermediate without basic constraints',
      'CERTIFICATE_NOT_AUTHORITY',
      { intermediate: { authority: undefined } },
    ],
    ['an intermediate that may not sign', 'CHAIN_UNTRUSTED', { intermediate: { signsCertificates: false } }],
    ['an expired leaf', 'CERTIFICATE_EXPIRED', { leaf: { notAfter: new Date('2026-05-31T23:59:58Z') } }],
    [
      'an expired intermediate',
      'CERTIFICATE_EXPIRED',
      { intermediate: { notAfter: new Date('2026-05-31T23:59:58Z') } },
    ],
    ['an expired root', 'CERTIFICATE_EXPIRED', { root: { notAfter: new Date('2026-05-31T23:59:58Z') } }],
    [
      'a leaf of tomorrow',
      'CERTIFICATE_NOT_YET_VALID',
      { leaf: { notBefore: new Date('2026-06-02T00:00:00Z') } },
    ],
    ['an unknown critical extension', 'CERTIFICATE_EXTENSION_UNKNOWN', { leaf: { extra: [unknown] } }],
    [
      'an unknown critical extension above',
      'CERTIFICATE_EXTENSION_UNKNOWN',
      { intermediate: { extra: [unknown] } },
    ],
  ])('refuses %s with %s', async (_what, code, broken) => {
    const { chain, root } = await createPki(broken);
    const anchors = [anchorFromSelfSigned(root.certificate)] as const;
    expect(() => verifyChain(chain, anchors, { at: NOW })).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a root of the same name', async () => {
    const impostor = await issue('root');
    const anchors = [anchorFromSelfSigned(impostor.certificate)] as const;
    expect(() => verifyChain(pki.chain, anchors, { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it("refuses a certificate that carries the anchor's key but does not sign itself", async () => {
    const other = await issue('other');
    const crossed = await issue('root', { issuer: other, keys: pki.root.keys });
    const chain: Chain = [...pki.chain, crossed.certificate];
    expect(() => verifyChain(chain, [anchor], { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it('refuses certificates in the wrong order', () => {
    const chain: Chain = [pki.intermediate.certificate, pki.leaf.certificate];
    expect(() => verifyChain(chain, [anchor], { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it('refuses a leaf that another intermediate of the same name signed', async () => {
    const other = await createPki();
    const chain: Chain = [other.leaf.certificate, pki.intermediate.certificate];
    expect(() => verifyChain(chain, [anchor], { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it('counts the authorities that a path length allows', async () => {
    const root = await issue('root', { authority: { ca: true, pathLength: 0 } });
    const middle = await issue('middle', { issuer: root });
    const leaf = await issue('leaf', { issuer: middle, authority: undefined });
    const chain: Chain = [leaf.certificate, middle.certificate, root.certificate];
    const anchors = [anchorFromSelfSigned(root.certificate)] as const;
    expect(() => verifyChain(chain, anchors, { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_NOT_AUTHORITY' }),
    );
    expect(verifyChain([middle.certificate, root.certificate], anchors, { at: NOW })).toBe(
      middle.certificate,
    );
  });

  it('refuses a chain that is too long', () => {
    const long = Array.from({ length: MAX_CHAIN_LENGTH }, () => pki.intermediate.certificate);
    expect(() => verifyChain([pki.leaf.certificate, ...long], [anchor], { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_TOO_LONG' }),
    );
  });

  it('refuses an anchor that does not sign itself', () => {
    expect(() => anchorFromSelfSigned(pki.leaf.certificate)).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });
});

describe('verifyWholeChain', () => {
  it('returns every certificate of a chain that verifies', async () => {
    const { chain, root } = await createPki();
    const whole: Chain = [...chain, root.certificate];
    const anchor = anchorFromSelfSigned(root.certificate);
    expect(verifyWholeChain(whole, [anchor], { at: NOW })).toEqual(whole);
  });

  it('refuses what verifyChain refuses', async () => {
    const { chain } = await createPki();
    const stranger = anchorFromSelfSigned((await createPki()).root.certificate);
    expect(() => verifyWholeChain(chain, [stranger], { at: NOW })).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });
});

describe('requireValidAt', () => {
  const validity = { notBefore: FROM, notAfter: UNTIL };

  it('counts the first and the last second', () => {
    for (const at of [FROM, UNTIL, new Date(UNTIL.getTime() + 999)]) {
      expect(() => {
        requireValidAt('it', validity, at);
      }).not.toThrow();
    }
  });

  it.each([
    ['CERTIFICATE_NOT_YET_VALID', validity, new Date(FROM.getTime() - 1)],
    ['CERTIFICATE_EXPIRED', validity, new Date(UNTIL.getTime() + 1000)],
    ['CERTIFICATE_NOT_YET_VALID', { ...validity, notBefore: new Date(Number.NaN) }, NOW],
    ['CERTIFICATE_EXPIRED', { ...validity, notAfter: new Date(Number.NaN) }, NOW],
  ])('refuses with %s', (code, dates, at) => {
    expect(() => {
      requireValidAt('it', dates, at);
    }).toThrow(expect.objectContaining({ code }));
  });
});
