import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../../server/bytes/byte-strings.ts';
import { toHex } from '../../../../server/bytes/encoding.ts';
import { anchorsFromCertificates } from '../../../../server/verifiers/snp/anchor-set.ts';
import { amdAnchors } from '../../../../server/verifiers/snp/anchors.ts';
import { parseCertificate, parseCertificateBundle } from '../../../../server/x509/certificate.ts';
import { createFakeAmd, type FakeAmd, sharedFakeAmd } from '../../../fakes/fake-amd.ts';

/** SHA-256 of the subject public key info, from the certificates of AMD's key service. */
const FINGERPRINTS = {
  'ARK-Milan': '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
  'SEV-Milan': '42491669ccb851d627ea9846cd24eccbeb7de7c2a62740120fff88001d38ebb6',
  'SEV-VLEK-Milan': '66450a123ea5876206df67f2514a4fea224c0f63b18313423078b0edc4535e33',
  'ARK-Genoa': '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
  'SEV-Genoa': '0324d55bcd48ba877a8fd87c0e1b4934dec8448e3807a24384a34dc6a6c9ebb8',
  'SEV-VLEK-Genoa': '7d1633252ebbadaa75f96e9b4e6f7d43a90ceb3f843937482630f8da2459264e',
  'ARK-Turin': '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
  'SEV-Turin': '0000ead352025f208bf55297c4192c34cd1b878002107366d8f2065a9ae7d3a9',
  'SEV-VLEK-Turin': 'bfc441408b2f806c5dbf180bd8920e6e60dd404d82141780d85dbf962954d386',
} as const;

describe('amdAnchors', () => {
  it('holds the nine authorities of AMD', () => {
    const found = [...amdAnchors().values()].flatMap(({ root, vcek, vlek }) => [root, vcek, vlek]);
    const fingerprints = found.map((authority) => [
      authority?.name,
      toHex(sha256(authority!.publicKey.export({ type: 'spki', format: 'der' }))),
    ]);
    expect(Object.fromEntries(fingerprints)).toEqual(FINGERPRINTS);
    for (const authority of found) {
      expect(authority?.publicKey.asymmetricKeyDetails?.modulusLength).toBe(4096);
      expect(authority?.serial).toMatch(/^[123]0[01]0[012]$/);
      expect(authority!.validity.notBefore < authority!.validity.notAfter).toBe(true);
    }
  });
});

describe('anchorsFromCertificates', () => {
  let amd: FakeAmd;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
  });

  it('takes what AMD publishes, in any order', () => {
    const anchors = anchorsFromCertificates(parseCertificateBundle(amd.pem('Genoa')).toReversed());
    expect([...anchors.keys()]).toEqual(['Genoa']);
    expect(anchors.get('Genoa')).toMatchObject({
      root: { name: 'ARK-Genoa', serial: '10000' },
      vcek: { name: 'SEV-Genoa', serial: '10001' },
      vlek: { name: 'SEV-VLEK-Genoa', serial: '10101' },
    });
  });

  it('takes a root alone', () => {
    const anchors = anchorsFromCertificates([amd.authorityCertificate('Milan', 'root')]);
    expect(anchors.get('Milan')).toMatchObject({ vcek: undefined, vlek: undefined });
  });

  it('refuses an empty set, an intermediate without its root, and one certificate twice', () => {
    const root = amd.authorityCertificate('Milan', 'root');
    expect(() => anchorsFromCertificates([])).toThrow(expect.objectContaining({ code: 'ANCHORS_EMPTY' }));
    expect(() => anchorsFromCertificates([amd.authorityCertificate('Milan', 'vcek')])).toThrow(
      expect.objectContaining({ code: 'ANCHOR_ROOT_MISSING' }),
    );
    expect(() => anchorsFromCertificates([root, root])).toThrow(
      expect.objectContaining({ code: 'ANCHOR_DUPLICATED' }),
    );
  });

  it('refuses other certificates', async () => {
    const vcek = parseCertificate(
      await amd.vcek('Milan', new Uint8Array(64), { fmc: null, bootloader: 0, tee: 0, snp: 0, microcode: 0 }),
    );
    expect(() => anchorsFromCertificates([vcek])).toThrow(
      expect.objectContaining({ code: 'ANCHOR_UNRECOGNIZED' }),
    );
  });

  it('refuses an intermediate of another root of the same name', async () => {
    const other = await createFakeAmd({}, ['Milan']);
    const mixed = [amd.authorityCertificate('Milan', 'root'), other.authorityCertificate('Milan', 'vcek')];
    expect(() => anchorsFromCertificates(mixed)).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it('refuses an intermediate that is no authority', async () => {
    const other = await createFakeAmd({ vcek: { isCa: false } }, ['Milan']);
    expect(() => other.anchors).toThrow(expect.objectContaining({ code: 'CERTIFICATE_NOT_AUTHORITY' }));
  });

  it('refuses a root that another signed', async () => {
    const renamed = await createFakeAmd({ vlek: { commonName: 'ARK-Milan' } }, ['Milan']);
    expect(() => anchorsFromCertificates([renamed.authorityCertificate('Milan', 'vlek')])).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });
});
