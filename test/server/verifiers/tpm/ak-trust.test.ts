import 'reflect-metadata';
import { createHash, KeyObject, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { AK_ATTRIBUTES, encodeFakePublic, type FakePublicOptions } from '../../../fakes/tpm-object.ts';
import { createFakeAk, type FakeKeyPair } from '../../../fakes/tpm-quote.ts';
import { issue, type TestCertificate, type TestCertificateOptions } from '../../x509/test-pki.ts';
import { claimsOf, digestOfKey, tpmEvidence } from './tpm-setup.ts';

const AK_USAGE = new x509.ExtendedKeyUsageExtension(['2.23.133.8.3']);
const ak = createFakeAk();

function withPublic(options: FakePublicOptions = {}): Record<string, unknown> {
  const area = encodeFakePublic(ak.publicKey, options);
  return { ...tpmEvidence(ak), ak_tpm_public: Buffer.from(area).toString('base64') };
}

function nameOf(options: FakePublicOptions = {}): string {
  const area = encodeFakePublic(ak.publicKey, options).subarray(2);
  return `000b${createHash('sha256').update(area).digest('hex')}`;
}

describe('requireTrustedAk', () => {
  it('refuses a key that nobody vouches for', async () => {
    const refused = { code: 'AK_NOT_TRUSTED' };
    await expect(claimsOf(tpmEvidence(ak), [])).rejects.toMatchObject(refused);
    await expect(claimsOf(tpmEvidence(ak), [digestOfKey(createFakeAk().publicKey)])).rejects.toMatchObject(
      refused,
    );
    await expect(claimsOf(tpmEvidence(ak), [nameOf()])).rejects.toMatchObject(refused);
    await expect(
      claimsOf(withPublic(), [nameOf().replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))]),
    ).rejects.toMatchObject(refused);
  });

  it('accepts a key by the digest of its SPKI, in either case', async () => {
    const digest = digestOfKey(ak.publicKey);
    expect(await claimsOf(tpmEvidence(ak), [digest.toUpperCase()])).toMatchObject({
      ak_trust: 'configured-key',
    });
  });

  it('accepts a key by its name in its TPM', async () => {
    expect(await claimsOf(withPublic(), [nameOf()])).toMatchObject({ ak_trust: 'configured-name' });
  });

  it('refuses a public area of another kind of key, trusted or not', async () => {
    const attributes = AK_ATTRIBUTES & ~(1 << 16);
    for (const trusted of [nameOf({ attributes }), digestOfKey(ak.publicKey)]) {
      await expect(claimsOf(withPublic({ attributes }), [trusted])).rejects.toMatchObject({
        code: 'TPM_KEY_UNSUITABLE',
      });
    }
  });

  it('refuses the name of one key for the quote of another', async () => {
    const evidence = { ...withPublic(), ...tpmEvidence(createFakeAk()) };
    await expect(claimsOf(evidence, [nameOf()])).rejects.toMatchObject({ code: 'TPM_KEY_UNSUITABLE' });
  });

  describe('by certificate', () => {
    let root: TestCertificate;
    let intermediate: TestCertificate;

    beforeAll(async () => {
      root = await issue('TPM root');
      intermediate = await issue('TPM authority', { issuer: root, serial: '02' });
    });

    async function certified(
      options: TestCertificateOptions = {},
    ): Promise<[Record<string, unknown>, FakeKeyPair]> {
      const leaf = await issue('attestation key', {
        issuer: intermediate,
        serial: '03',
        authority: undefined,
        algorithm: 'RSA-PKCS1',
        extra: [AK_USAGE],
        ...options,
      });
      const key = toPair(leaf.keys);
      return [{ ...tpmEvidence(key), ak_cert_chain: chainOf(leaf, intermediate) }, key];
    }

    async function judge(evidence: unknown, anchors: readonly TestCertificate[] = [root]): Promise<Claims> {
      return await claimsOf(evidence, [], {}, { anchors: anchors.map(({ certificate }) => certificate) });
    }

    it('accepts a key that a configured authority certified', async () => {
      const [evidence] = await certified();
      expect(await judge(evidence)).toMatchObject({ ak_trust: 'certificate' });
    });

    it('refuses it where no authority is configured, or only another', async () => {
      const [evidence] = await certified();
      await expect(judge(evidence, [])).rejects.toMatchObject({ code: 'AK_NOT_TRUSTED' });
      await expect(judge(evidence, [await issue('TPM root')])).rejects.toMatchObject({
        code: 'CHAIN_UNTRUSTED',
      });
      await expect(judge(tpmEvidence(ak))).rejects.toMatchObject({ code: 'AK_NOT_TRUSTED' });
    });

    it.each<[string, TestCertificateOptions, string]>([
      ['without a usage', { extra: [] }, 'AK_CERTIFICATE_UNSUITABLE'],
      [
        'for an endorsement key',
        { extra: [new x509.ExtendedKeyUsageExtension(['2.23.133.8.1'])] },
        'AK_CERTIFICATE_UNSUITABLE',
      ],
      [
        'with something after its usage',
        {
          extra: [
            new x509.Extension('2.5.29.37', false, Uint8Array.of(...new Uint8Array(AK_USAGE.value), 0)),
          ],
        },
        'AK_CERTIFICATE_UNSUITABLE',
      ],
      ['that expired', { notAfter: new Date('2026-05-01T00:00:00Z') }, 'CERTIFICATE_EXPIRED'],
      ['that is to come', { notBefore: new Date('2026-07-01T00:00:00Z') }, 'CERTIFICATE_NOT_YET_VALID'],
    ])('refuses a certificate %s', async (_what, options, code) => {
      const [evidence] = await certified(options);
      await expect(judge(evidence)).rejects.toMatchObject({ code });
    });

    it('refuses the certificate of another key', async () => {
      const [evidence] = await certified();
      const other = { ...evidence, ...tpmEvidence(ak) };
      await expect(judge(other)).rejects.toMatchObject({ code: 'AK_CERTIFICATE_MISMATCH' });
    });

    it('refuses what is no certificate', async () => {
      const evidence = { ...tpmEvidence(ak), ak_cert_chain: ['AAAA'] };
      await expect(judge(evidence)).rejects.toMatchObject({ code: 'CERTIFICATE_MALFORMED' });
    });
  });
});

function chainOf(...certificates: readonly TestCertificate[]): readonly string[] {
  return certificates.map(({ certificate }) => Buffer.from(certificate.der).toString('base64'));
}

function toPair({ publicKey, privateKey }: webcrypto.CryptoKeyPair): FakeKeyPair {
  return { publicKey: KeyObject.from(publicKey), privateKey: KeyObject.from(privateKey) };
}
