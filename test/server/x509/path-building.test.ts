import { beforeAll, describe, expect, it } from 'vitest';
import type { Certificate } from '../../../server/x509/certificate.ts';
import { verifyPath } from '../../../server/x509/path-building.ts';
import { issue, NOW, type TestCertificate } from './test-pki.ts';

describe('verifyPath', () => {
  let root: TestCertificate;
  let upper: TestCertificate;
  let lower: TestCertificate;
  let leaf: TestCertificate;
  let decoy: TestCertificate;

  beforeAll(async () => {
    root = await issue('root');
    upper = await issue('upper', { issuer: root });
    lower = await issue('lower', { issuer: upper });
    leaf = await issue('leaf', { issuer: lower, authority: undefined });
    decoy = await issue('decoy');
  });

  const certificates = (...all: readonly TestCertificate[]): readonly Certificate[] =>
    all.map(({ certificate }) => certificate);

  it('finds the path whatever the order', () => {
    for (const pool of [
      certificates(lower, upper),
      certificates(upper, lower),
      certificates(decoy, upper, lower),
    ]) {
      expect(verifyPath(leaf.certificate, pool, certificates(decoy, root), NOW)).toBe(leaf.certificate);
    }
  });

  it('takes intermediates from the trust file too, and a leaf that is itself a trusted root', () => {
    expect(verifyPath(leaf.certificate, certificates(lower), certificates(upper, root), NOW)).toBe(
      leaf.certificate,
    );
    expect(verifyPath(root.certificate, [], certificates(root), NOW)).toBe(root.certificate);
  });

  it('takes the root of the right key among roots of one name', async () => {
    const impostor = await issue('root');
    const trusted = certificates(impostor, root);
    expect(verifyPath(leaf.certificate, certificates(lower, upper), trusted, NOW)).toBe(leaf.certificate);
  });

  it.each<[string, string, () => readonly [readonly Certificate[], readonly Certificate[]]]>([
    ['a missing intermediate', 'CHAIN_UNTRUSTED', () => [certificates(lower), certificates(root)]],
    ['an unrelated root', 'CHAIN_UNTRUSTED', () => [certificates(lower, upper), certificates(decoy)]],
    ['no trusted certificate', 'CHAIN_UNTRUSTED', () => [certificates(lower, upper, root), []]],
    ['trust in an intermediate alone', 'CHAIN_UNTRUSTED', () => [certificates(lower), certificates(upper)]],
    [
      'too many intermediates',
      'CHAIN_TOO_LONG',
      () => [Array.from({ length: 17 }, () => decoy.certificate), certificates(root)],
    ],
  ])('refuses %s with %s', (_what, code, given) => {
    const [pool, trusted] = given();
    expect(() => verifyPath(leaf.certificate, pool, trusted, NOW)).toThrow(expect.objectContaining({ code }));
  });

  it('says why the path that is there is refused', async () => {
    const expired = await issue('leaf', {
      issuer: root,
      authority: undefined,
      notAfter: new Date('2026-02-01T00:00:00Z'),
    });
    expect(() => verifyPath(expired.certificate, [], certificates(root), NOW)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_EXPIRED' }),
    );
  });

  it('bounds the search through certificates that all name each other', async () => {
    const first = await issue('same');
    const pool = await Promise.all(
      Array.from({ length: 12 }, async () => await issue('same', { issuer: first })),
    );
    const own = await issue('leaf', { issuer: first, authority: undefined });
    expect(() => verifyPath(own.certificate, certificates(...pool), certificates(root), NOW)).toThrow(
      expect.objectContaining({ code: 'CHAIN_TOO_LONG' }),
    );
  });
});
