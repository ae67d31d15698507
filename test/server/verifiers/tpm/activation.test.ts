import 'reflect-metadata';
import { createHmac, createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Activation,
  createActivation,
  type TpmIdentity,
} from '../../../../server/verifiers/tpm/activation.ts';
import { answerTpmChallenge } from '../../../../server/verifiers/tpm/activation-challenge.ts';
import { encodeFakePublic, type FakePublicOptions } from '../../../fakes/tpm-object.ts';
import { createFakeAk, type FakeKeyPair } from '../../../fakes/tpm-quote.ts';
import { issue, type TestCertificate, type TestCertificateOptions } from '../../x509/test-pki.ts';
import { claimsOf, NOW, tpmEvidence } from './tpm-setup.ts';

const EK_USAGE = new x509.ExtendedKeyUsageExtension(['2.23.133.8.1']);
/** As the profile has it: the TPM's maker and model, in a critical extension. */
const MODEL = new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: 'CN=model' }], true);
const NONCE = 'a nonce';

let maker: TestCertificate;
let ek: TestCertificate;
let ak: FakeKeyPair;
let activation: Activation;

beforeAll(async () => {
  maker = await issue('TPM maker');
  ek = await endorsementKey();
  ak = createFakeAk();
  activation = activationOf(maker);
});

async function endorsementKey(options: TestCertificateOptions = {}): Promise<TestCertificate> {
  return await issue('endorsement key', {
    issuer: maker,
    serial: '02',
    authority: undefined,
    algorithm: 'RSA-PKCS1',
    extra: [EK_USAGE, MODEL],
    ...options,
  });
}

function secretOf(key: string, content: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(content).digest();
}

function activationOf(root: TestCertificate, ...keys: readonly string[]): Activation {
  const [newest = 'newest', ...others] = keys;
  return createActivation({
    anchors: [root.certificate],
    makeSecrets: (content) => [secretOf(newest, content), ...others.map((key) => secretOf(key, content))],
  });
}

function identityOf(
  certificate: TestCertificate = ek,
  key: KeyObject = ak.publicKey,
  options: FakePublicOptions = {},
): TpmIdentity {
  return {
    ekCertificates: [certificate.certificate.der],
    akTpmPublic: encodeFakePublic(key, options),
  };
}

/** What the TPM would give back: the server's own secret, seen where it is made. */
function secretFor(identity: TpmIdentity, nonce: string, key = 'newest'): Uint8Array {
  let secret = new Uint8Array();
  createActivation({
    anchors: [maker.certificate],
    makeSecrets: (content) => {
      secret = Uint8Array.from(secretOf(key, content));
      return [secret];
    },
  }).makeChallenge(identity, nonce, NOW);
  return secret;
}

describe('activation', () => {
  it('believes the key whose TPM gave the secret back, and names the TPM', async () => {
    const digest = await webcrypto.subtle.digest(
      'SHA-256',
      createPublicKey(ek.native.publicKey.toString('pem')).export({ type: 'spki', format: 'der' }),
    );
    expect(activation.requireActivated(identityOf(), secretFor(identityOf(), NONCE), NONCE, NOW)).toBe(
      Buffer.from(digest).toString('hex'),
    );
  });

  it('accepts what was given out under a key of ours that is no longer the newest', () => {
    const later = activationOf(maker, 'newer', 'newest');
    const secret = secretFor(identityOf(), NONCE);
    expect(later.requireActivated(identityOf(), secret, NONCE, NOW)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[string, () => Promise<[TpmIdentity, Uint8Array, string | undefined]>, string]>([
    [
      'no nonce',
      async () => [identityOf(), secretFor(identityOf(), NONCE), undefined],
      'ACTIVATION_NONCE_MISSING',
    ],
    [
      'the secret of another nonce',
      async () => [identityOf(), secretFor(identityOf(), 'another'), NONCE],
      'ACTIVATION_SECRET_MISMATCH',
    ],
    [
      'the secret of another attestation key',
      async () => [identityOf(), secretFor(identityOf(ek, createFakeAk().publicKey), NONCE), NONCE],
      'ACTIVATION_SECRET_MISMATCH',
    ],
    [
      'the secret of another TPM',
      async () => [identityOf(), secretFor(identityOf(await endorsementKey()), NONCE), NONCE],
      'ACTIVATION_SECRET_MISMATCH',
    ],
    [
      'a secret of somebody else',
      async () => [identityOf(), secretFor(identityOf(), NONCE, 'other'), NONCE],
      'ACTIVATION_SECRET_MISMATCH',
    ],
    [
      'half of the secret',
      async () => [identityOf(), secretFor(identityOf(), NONCE).subarray(0, 16), NONCE],
      'ACTIVATION_SECRET_MISMATCH',
    ],
  ])('refuses %s', async (_what, make, code) => {
    const [identity, secret, nonce] = await make();
    expect(() => activation.requireActivated(identity, secret, nonce, NOW)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it.each<[string, () => Promise<TpmIdentity>, string]>([
    [
      'a certificate without the usage',
      async () => identityOf(await endorsementKey({ extra: [MODEL] })),
      'EK_CERTIFICATE_UNSUITABLE',
    ],
    [
      'the certificate of an attestation key',
      async () =>
        identityOf(await endorsementKey({ extra: [new x509.ExtendedKeyUsageExtension(['2.23.133.8.3'])] })),
      'EK_CERTIFICATE_UNSUITABLE',
    ],
    [
      'an elliptic key',
      async () => identityOf(await endorsementKey({ algorithm: 'P-256' })),
      'EK_CERTIFICATE_UNSUITABLE',
    ],
    ['no certificate', async () => ({ ...identityOf(), ekCertificates: [] }), 'EK_CERTIFICATE_UNSUITABLE'],
    [
      'a certificate of another maker',
      async () => identityOf(await endorsementKey({ issuer: await issue('TPM maker') })),
      'CHAIN_UNTRUSTED',
    ],
    [
      'a certificate that expired',
      async () => identityOf(await endorsementKey({ notAfter: new Date('2026-05-01T00:00:00Z') })),
      'CERTIFICATE_EXPIRED',
    ],
    // restricted is bit 16
    [
      'a key that signs anything',
      async () => identityOf(ek, ak.publicKey, { attributes: 0x0004_0072 }),
      'TPM_KEY_UNSUITABLE',
    ],
    // fixedTPM is bit 1
    [
      'a key that can leave its TPM',
      async () => identityOf(ek, ak.publicKey, { attributes: 0x0005_0070 }),
      'TPM_KEY_UNSUITABLE',
    ],
  ])('gives no challenge for %s, and believes none', async (_what, make, code) => {
    const identity = await make();
    const refusal = expect.objectContaining({ code }) as Error;
    expect(() => activation.makeChallenge(identity, NONCE, NOW)).toThrow(refusal);
    expect(() => activation.requireActivated(identity, new Uint8Array(32), NONCE, NOW)).toThrow(refusal);
  });
});

describe('the tpm verifier with activation', () => {
  const evidence = (identity: TpmIdentity, secret: Uint8Array) => ({
    ...tpmEvidence(ak),
    ak_tpm_public: Buffer.from(identity.akTpmPublic).toString('base64'),
    ek_cert_chain: identity.ekCertificates.map((der) => Buffer.from(der).toString('base64')),
    activated_secret: Buffer.from(secret).toString('base64'),
  });

  it('says that the key was activated, and in which TPM', async () => {
    const claims = await claimsOf(
      evidence(identityOf(), secretFor(identityOf(), NONCE)),
      [],
      { nonce: NONCE },
      { activation },
    );
    expect(claims).toMatchObject({
      ak_trust: 'activated',
      ek_public_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(JSON.stringify(claims)).not.toContain(
      Buffer.from(secretFor(identityOf(), NONCE)).toString('base64'),
    );
  });

  it('refuses the quote of another key than the one that was activated', async () => {
    const other = {
      ...evidence(identityOf(), secretFor(identityOf(), NONCE)),
      ...tpmEvidence(createFakeAk()),
    };
    await expect(claimsOf(other, [], { nonce: NONCE }, { activation })).rejects.toMatchObject({
      code: 'TPM_KEY_UNSUITABLE',
    });
  });

  it('trusts nothing where no maker is configured', async () => {
    const activated = evidence(identityOf(), secretFor(identityOf(), NONCE));
    await expect(claimsOf(activated, [], { nonce: NONCE })).rejects.toMatchObject({ code: 'AK_NOT_TRUSTED' });
  });
});

describe('the answer to a challenge', () => {
  const answer = (params: string) => answerTpmChallenge(activation, params, NONCE, NOW);
  const params = () => ({
    ek_cert_chain: identityOf().ekCertificates.map((der) => Buffer.from(der).toString('base64')),
    ak_tpm_public: Buffer.from(identityOf().akTpmPublic).toString('base64'),
  });

  it.each(['', 'null', '""'])('is the nonce alone for tee_params %j', (text) => {
    expect(answer(text)).toBe(NONCE);
  });

  it('has a credential for a TPM that says who it is', () => {
    expect(JSON.parse(answer(JSON.stringify(params())))).toEqual({
      nonce: NONCE,
      credential_blob: expect.any(String) as string,
      encrypted_secret: expect.any(String) as string,
    });
  });

  it.each([
    ['half of it', { ek_cert_chain: [] }, 'EVIDENCE_MALFORMED'],
    ['no certificates', { ek_cert_chain: [], ak_tpm_public: '' }, 'EVIDENCE_MALFORMED'],
    [
      'too many certificates',
      { ek_cert_chain: Array.from({ length: 9 }, () => ''), ak_tpm_public: '' },
      'EVIDENCE_MALFORMED',
    ],
    ['what is not base64', { ek_cert_chain: ['?'], ak_tpm_public: '' }, 'ENCODING_MALFORMED'],
    ['what is no certificate', { ek_cert_chain: ['AAAA'], ak_tpm_public: '' }, 'CERTIFICATE_MALFORMED'],
  ])('refuses %s', (_what, document, code) => {
    expect(() => answer(JSON.stringify(document))).toThrow(expect.objectContaining({ code }) as Error);
  });
});
