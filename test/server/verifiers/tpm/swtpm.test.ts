import { createHash, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCredential } from '../../../../server/tpm/make-credential.ts';
import { parseTpm2bPublic } from '../../../../server/tpm/tpm2b-public.ts';
import { hasSwtpm, type Swtpm, startSwtpm } from '../../../fakes/run-swtpm.ts';
import { extendedOnce, u32 } from '../../../fakes/tpm-quote.ts';
import { claimsOf, digestOfKey, spkiOf } from './tpm-setup.ts';

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const isThere = hasSwtpm();
if (!isThere && !mustRun) console.warn('no swtpm and tpm2-tools: what a TPM really writes is not tested');

const nonce = createHash('sha256').update('a nonce').digest();
const initDataDigest = createHash('sha256').update('init data').digest();
const KEYS = {
  rsassa: ['rsa', 'rsassa', 'sha256'],
  rsapss: ['rsa', 'rsapss', 'sha256'],
  ecdsa: ['ecc', 'ecdsa', 'sha256'],
  'ecdsa with SHA-384': ['ecc384', 'ecdsa', 'sha384'],
} as const;

describe.skipIf(!isThere && !mustRun)('a TPM in software', () => {
  let tpm: Swtpm;

  beforeAll(async () => {
    tpm = await startSwtpm();
    await tpm.tool('createek', '-c', 'ek.ctx', '-G', 'rsa', '-u', 'ek.pub', '-f', 'tss');
    await tpm.tool('pcrextend', `8:sha256=${initDataDigest.toString('hex')}`);
  });

  afterAll(async () => {
    await tpm.stop();
  });

  async function createAk(key: keyof typeof KEYS): Promise<{ readonly name: string; readonly area: Buffer }> {
    const [algorithm, scheme, hash] = KEYS[key];
    const kind = ['-G', algorithm, '-s', scheme, '-g', hash];
    await tpm.tool(
      'createak',
      '-C',
      'ek.ctx',
      '-c',
      'ak.ctx',
      ...kind,
      '-u',
      'ak.pub',
      '-f',
      'tss',
      '-n',
      'ak.name',
    );
    return { name: (await tpm.read('ak.name')).toString('hex'), area: await tpm.read('ak.pub') };
  }

  async function evidenceOf(pcrs: string, key: keyof typeof KEYS): Promise<Record<string, unknown>> {
    const [, scheme, hash] = KEYS[key];
    const kind = ['--scheme', scheme, '-g', hash];
    const files = ['-m', 'quote.msg', '-s', 'quote.sig', '-o', 'quote.pcrs', '-F', 'values'];
    await tpm.tool('quote', '-c', 'ak.ctx', '-l', pcrs, '-q', nonce.toString('hex'), ...kind, ...files);
    await tpm.tool('readpublic', '-c', 'ak.ctx', '-f', 'pem', '-o', 'ak.pem');
    const values = (await tpm.read('quote.pcrs')).toString('hex');
    return {
      ak_public: spkiOf(createPublicKey(await tpm.read('ak.pem'))).toString('base64'),
      ak_tpm_public: (await tpm.read('ak.pub')).toString('base64'),
      tpm_quote: {
        message: (await tpm.read('quote.msg')).toString('base64'),
        signature: (await tpm.read('quote.sig')).toString('base64'),
        pcrs: values.match(/.{64}/g) ?? [],
      },
    };
  }

  it.each(Object.keys(KEYS) as (keyof typeof KEYS)[])('quotes with a key for %s', async (key) => {
    const { name, area } = await createAk(key);
    const evidence = await evidenceOf('sha256:all', key);
    const expected = { reportData: nonce, initDataDigest };
    expect(await claimsOf(evidence, [name], expected)).toMatchObject({
      ak_trust: 'configured-name',
      report_data: nonce.toString('hex'),
      init_data: extendedOnce(initDataDigest).toString('hex'),
      pcr00: '00'.repeat(32),
      pcr08: extendedOnce(initDataDigest).toString('hex'),
      pcr17: 'ff'.repeat(32),
      pcr23: '00'.repeat(32),
    });
    const { publicKey } = parseTpm2bPublic(area);
    expect(await claimsOf(evidence, [digestOfKey(publicKey)], expected)).toMatchObject({
      ak_trust: 'configured-key',
    });
  });

  it('quotes what is asked for: a quote of other PCRs, another nonce or other init data do not pass', async () => {
    const { name } = await createAk('rsassa');
    const evidence = await evidenceOf('sha256:1,8,16', 'rsassa');
    const claims = await claimsOf(evidence, [name]);
    expect(Object.keys(claims).filter((claim) => claim.startsWith('pcr'))).toEqual([
      'pcr01',
      'pcr08',
      'pcr16',
    ]);
    const otherNonce = { reportData: Uint8Array.from(nonce).reverse() };
    await expect(claimsOf(evidence, [name], otherNonce)).rejects.toMatchObject({
      code: 'REPORT_DATA_MISMATCH',
    });
    const otherInitData = { initDataDigest: nonce };
    await expect(claimsOf(evidence, [name], otherInitData)).rejects.toMatchObject({
      code: 'INIT_DATA_MISMATCH',
    });
    const without = await evidenceOf('sha256:1,16', 'rsassa');
    await expect(claimsOf(without, [name], { initDataDigest })).rejects.toMatchObject({
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
  });

  describe('opens a credential', () => {
    const secret = createHash('sha256').update('a secret').digest();

    async function activate(name: string): Promise<Buffer> {
      const { publicKey, nameHash } = parseTpm2bPublic(await tpm.read('ek.pub'));
      const endorsementKey = { publicKey, nameHash, symmetricBits: 128 } as const;
      const made = makeCredential(endorsementKey, Buffer.from(name, 'hex'), secret);
      // What the tools put before the two structures: a magic and a version of the file.
      const head = Buffer.concat([u32(0xbadcc0de), u32(1)]);
      await tpm.write('credential', Buffer.concat([head, made.credentialBlob, made.encryptedSecret]));
      await tpm.tool('startauthsession', '--policy-session', '-S', 'session.ctx');
      try {
        await tpm.tool('policysecret', '-S', 'session.ctx', '-c', 'endorsement');
        const files = ['-i', 'credential', '-o', 'secret', '-P', 'session:session.ctx'];
        await tpm.tool('activatecredential', '-c', 'ak.ctx', '-C', 'ek.ctx', ...files);
      } finally {
        await tpm.tool('flushcontext', 'session.ctx');
      }
      return await tpm.read('secret');
    }

    it('that was made for its endorsement key and the name of its attestation key', async () => {
      const { name } = await createAk('rsassa');
      expect(await activate(name)).toEqual(secret);
    });

    it('and not one for another name', async () => {
      const { name } = await createAk('rsassa');
      await createAk('rsassa');
      await expect(activate(name)).rejects.toThrow();
    });
  });
});
