import 'reflect-metadata';
import { createPublicKey, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasSwtpm, type Swtpm, startSwtpm } from '../fakes/run-swtpm.ts';
import { u32 } from '../fakes/tpm-quote.ts';
import { appraisalIn, bindingDigest, createGuestKey, verificationRequest } from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import { issue, type TestCertificate } from '../server/x509/test-pki.ts';

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const isThere = hasSwtpm();
if (!isThere && !mustRun) console.warn('no swtpm and tpm2-tools: activation by a TPM is not tested');

interface TpmChallenge {
  readonly nonce: string;
  readonly credential_blob: string;
  readonly encrypted_secret: string;
}

describe.skipIf(!isThere && !mustRun)('a TPM whose maker is believed', () => {
  let tpm: Swtpm;
  let verigo: RunningVerigo;
  let folder: string;
  /** base64 of DER. */
  let ekCertificate: string;

  beforeAll(async () => {
    tpm = await startSwtpm();
    await tpm.tool('createek', '-c', 'ek.ctx', '-G', 'rsa', '-u', 'ek.pem', '-f', 'pem');
    const kind = ['-G', 'rsa', '-s', 'rsassa', '-g', 'sha256'];
    await tpm.tool('createak', '-C', 'ek.ctx', '-c', 'ak.ctx', ...kind, '-u', 'ak.pub', '-f', 'tss');
    await tpm.tool('readpublic', '-c', 'ak.ctx', '-f', 'pem', '-o', 'ak.pem');
    const now = Date.now();
    const dates = { notBefore: new Date(now - 86_400_000), notAfter: new Date(now + 86_400_000) };
    const maker = await issue('TPM maker', dates);
    ekCertificate = await certify(maker, await tpm.read('ek.pem'), dates);
    folder = mkdtempSync(join(tmpdir(), 'verigo-maker-'));
    const file = join(folder, 'maker.pem');
    writeFileSync(file, maker.native.toString('pem'));
    verigo = await startVerigo({ config: { verifiers: { tpm: { ek_roots: [file] } } } });
  });
  afterAll(async () => {
    await verigo.close();
    await tpm.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function certify(
    maker: TestCertificate,
    pem: Buffer,
    dates: { readonly notBefore: Date; readonly notAfter: Date },
  ): Promise<string> {
    const spki = createPublicKey(pem).export({ type: 'spki', format: 'der' });
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const certificate = await x509.X509CertificateGenerator.create({
      subject: '',
      issuer: maker.native.subject,
      serialNumber: '02',
      ...dates,
      publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
      signingKey: maker.keys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new x509.ExtendedKeyUsageExtension(['2.23.133.8.1']),
        new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: 'CN=swtpm' }], true),
      ],
    });
    return Buffer.from(certificate.rawData).toString('base64');
  }

  async function challenge(): Promise<TpmChallenge> {
    const params = {
      ek_cert_chain: [ekCertificate],
      ak_tpm_public: (await tpm.read('ak.pub')).toString('base64'),
    };
    const reply = await send(verigo.url, '/challenge', {
      json: { tee: 'tpm', tee_params: JSON.stringify(params) },
    });
    expect(reply.status, reply.text).toBe(200);
    return JSON.parse(reply.text) as TpmChallenge;
  }

  async function activate(made: TpmChallenge): Promise<string> {
    // What the tools put before the two structures: a magic and a version of the file.
    const head = Buffer.concat([u32(0xbadcc0de), u32(1)]);
    const parts = [made.credential_blob, made.encrypted_secret].map((text) => Buffer.from(text, 'base64'));
    await tpm.write('credential', Buffer.concat([head, ...parts]));
    await tpm.tool('startauthsession', '--policy-session', '-S', 'session.ctx');
    try {
      await tpm.tool('policysecret', '-S', 'session.ctx', '-c', 'endorsement');
      const files = ['-i', 'credential', '-o', 'secret', '-P', 'session:session.ctx'];
      await tpm.tool('activatecredential', '-c', 'ak.ctx', '-C', 'ek.ctx', ...files);
    } finally {
      await tpm.tool('flushcontext', 'session.ctx');
    }
    return (await tpm.read('secret')).toString('base64');
  }

  async function attest(nonce: string, secret: string): Promise<HttpReply> {
    const runtimeData = { nonce, 'tee-pubkey': createGuestKey().publicJwk };
    const extra = Buffer.from(bindingDigest(runtimeData).subarray(0, 32)).toString('hex');
    const files = ['-m', 'quote.msg', '-s', 'quote.sig', '-o', 'quote.pcrs', '-F', 'values'];
    await tpm.tool('quote', '-c', 'ak.ctx', '-l', 'sha256:all', '-q', extra, '-g', 'sha256', ...files);
    const spki = createPublicKey(await tpm.read('ak.pem')).export({ type: 'spki', format: 'der' });
    const evidence = {
      ak_public: spki.toString('base64'),
      ak_tpm_public: (await tpm.read('ak.pub')).toString('base64'),
      ek_cert_chain: [ekCertificate],
      activated_secret: secret,
      tpm_quote: {
        message: (await tpm.read('quote.msg')).toString('base64'),
        signature: (await tpm.read('quote.sig')).toString('base64'),
        pcrs: (await tpm.read('quote.pcrs')).toString('hex').match(/.{64}/g) ?? [],
      },
    };
    return await send(verigo.url, '/attestation', {
      json: { verification_requests: [verificationRequest('tpm', evidence, runtimeData)], policy_ids: [] },
    });
  }

  it('gets a token for a key that it proves to hold', async () => {
    const made = await challenge();
    const secret = await activate(made);
    const reply = await attest(made.nonce, secret);
    expect(reply.status, reply.text).toBe(200);
    const claims = appraisalIn(reply.text)['ear.veraison.annotated-evidence'] as Record<string, unknown>;
    expect(claims['tpm']).toMatchObject({ ak_trust: 'activated' });
    expect(Buffer.from(reply.text.split('.')[1] ?? '', 'base64url').toString()).not.toContain(secret);
  });

  it('gets none with the secret of another challenge', async () => {
    const secret = await activate(await challenge());
    const { nonce } = await challenge();
    expect(await attest(nonce, secret)).toMatchObject({ status: 401, code: 'ACTIVATION_SECRET_MISMATCH' });
  });

  it('gets a nonce alone when it does not say who it is', async () => {
    const reply = await send(verigo.url, '/challenge', { json: { tee: 'tpm', tee_params: '' } });
    expect(reply.text).toMatch(/^[A-Za-z0-9+/]{56}$/);
  });
});
