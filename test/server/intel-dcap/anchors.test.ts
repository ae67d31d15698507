import { beforeAll, describe, expect, it } from 'vitest';
import { intelAnchors, intelAnchorsFromCertificates } from '../../../server/intel-dcap/anchors.ts';
import { type Certificate, parseCertificate } from '../../../server/x509/certificate.ts';
import { createFakeIntel, type FakeIntel, sharedFakeIntel } from '../../fakes/fake-intel.ts';

let intel: FakeIntel;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

const rootOf = (of: FakeIntel): Certificate => parseCertificate(of.authority('root').der);

describe('intelAnchors', () => {
  it("is Intel's root, named as its own library names it", () => {
    const anchors = intelAnchors();
    expect(anchors.map(({ name }) => name)).toEqual(['Intel SGX Root CA']);
    // Intel's QVL, root_key_id of every platform.
    expect(anchors[0].keyId).toBe(
      '46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993',
    );
  });
});

describe('intelAnchorsFromCertificates', () => {
  it('takes self-signed authorities', async () => {
    const other = await createFakeIntel();
    const anchors = intelAnchorsFromCertificates([rootOf(intel), rootOf(other)]);
    expect(anchors.map(({ publicKey }) => publicKey)).toEqual([
      rootOf(intel).publicKey,
      rootOf(other).publicKey,
    ]);
    expect(anchors[0].keyId).toMatch(/^[0-9a-f]{96}$/);
    expect(anchors[1]?.keyId).not.toBe(anchors[0].keyId);
    expect(anchors[0].validity).toEqual(rootOf(intel).validity);
  });

  it('refuses none, and one twice', () => {
    expect(() => intelAnchorsFromCertificates([])).toThrow(
      expect.objectContaining({ code: 'ANCHORS_EMPTY' }),
    );
    expect(() => intelAnchorsFromCertificates([rootOf(intel), rootOf(intel)])).toThrow(
      expect.objectContaining({ code: 'ANCHOR_DUPLICATED' }),
    );
  });

  it.each([
    ['a root on P-384', 'ANCHOR_KEY_UNSUPPORTED', { curve: 'P-384' }],
    ['a root that is no authority', 'CERTIFICATE_NOT_AUTHORITY', { isCa: false }],
    ['a root without room below it', 'CERTIFICATE_NOT_AUTHORITY', { pathLength: 0 }],
  ] as const)('refuses %s with %s', async (_what, code, root) => {
    const other = await createFakeIntel({ root });
    expect(() => intelAnchorsFromCertificates([rootOf(other)])).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['platform', 'CERTIFICATE_NOT_AUTHORITY'],
    ['tcb-signing', 'CERTIFICATE_NOT_AUTHORITY'],
  ] as const)('refuses the %s certificate with %s', (role, code) => {
    const certificate = parseCertificate(intel.authority(role).der);
    expect(() => intelAnchorsFromCertificates([certificate])).toThrow(expect.objectContaining({ code }));
  });

  it('refuses an authority that another one signed', async () => {
    const other = await createFakeIntel({ platform: { pathLength: 1 } });
    const certificate = parseCertificate(other.authority('platform').der);
    expect(() => intelAnchorsFromCertificates([certificate])).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });
});
