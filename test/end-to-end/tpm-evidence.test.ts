import 'reflect-metadata';
import { createHash, KeyObject, type webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeRecord, fakeEventLog, fakeRegister } from '../fakes/event-log-bytes.ts';
import { encodeFakePublic } from '../fakes/tpm-object.ts';
import {
  createFakeAk,
  extendedOnce,
  type FakeKeyPair,
  type FakeQuoteOptions,
  fakePcrs,
  range,
  SHA256_BANK,
} from '../fakes/tpm-quote.ts';
import { createAdministrator } from '../harness/administrator.ts';
import {
  appraised,
  bindingDigest,
  createGuestKey,
  type EvidenceSource,
  getResource,
  openResource,
  replyTo,
} from '../harness/guest.ts';
import { base64 } from '../harness/hardware-sources.ts';
import { ESTATE_NOW } from '../harness/intel-estate.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import { digestOfKey, spkiOf, tpmEvidence } from '../server/verifiers/tpm/tpm-setup.ts';
import { issue, type TestCertificate } from '../server/x509/test-pki.ts';

const SECRET = 'the passphrase of a disk';
const RESOURCE = 'default/disk/passphrase';
const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a" = "b"\n';
const initDataDigest = createHash('sha256').update(INIT_DATA).digest();
/** PCR 11 of fake quotes. */
const PCR_11 = '0c'.repeat(32);

/** Keys that the configuration names: by digest, by the name that its TPM gives it, by a file; and one by nothing. */
const byDigest = createFakeAk();
const byName = createFakeAk();
const byFile = createFakeAk();
const stranger = createFakeAk();

let folder: string;
let root: TestCertificate;
let verigo: RunningVerigo;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verigo-aks-'));
  root = await issue('TPM root');
  const keys = mkdtempSync(join(folder, 'keys-'));
  writeFileSync(join(keys, 'machine-7.pem'), byFile.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(folder, 'root.pem'), root.native.toString('pem'));
  verigo = await startVerigo({
    clock: () => ESTATE_NOW,
    config: {
      verifiers: {
        tpm: {
          trusted_aks: [digestOfKey(byDigest.publicKey), nameOf(byName)],
          trusted_ak_keys_dir: keys,
          ak_roots: [join(folder, 'root.pem')],
        },
      },
    },
  });
  await createAdministrator(verigo.url, await verigo.adminToken()).putResource(RESOURCE, SECRET);
});
afterAll(async () => {
  await verigo.close();
  rmSync(folder, { recursive: true, force: true });
});

function nameOf(ak: FakeKeyPair): string {
  const area = encodeFakePublic(ak.publicKey).subarray(2);
  return `000b${createHash('sha256').update(area).digest('hex')}`;
}

/** Quotes of a TPM; `extra` are members beside those that every guest sends. */
function tpmSource(ak: FakeKeyPair, extra: object = {}, options: FakeQuoteOptions = {}): EvidenceSource {
  return {
    tee: 'tpm',
    evidence: async (runtimeData) => ({
      ...tpmEvidence(ak, { extraData: bindingDigest(runtimeData), ...options }),
      ...extra,
    }),
  };
}

const withArea = (ak: FakeKeyPair): object => ({ ak_tpm_public: base64(encodeFakePublic(ak.publicKey)) });

/** A key with a certificate for attestation keys, by the configured authority unless another is given. */
async function certified(issuer = root): Promise<readonly [FakeKeyPair, object]> {
  const leaf = await issue('attestation key', {
    issuer,
    serial: '03',
    authority: undefined,
    algorithm: 'RSA-PKCS1',
    extra: [new x509.ExtendedKeyUsageExtension(['2.23.133.8.3'])],
  });
  const from = (key: webcrypto.CryptoKey): KeyObject => KeyObject.from(key);
  const ak = { publicKey: from(leaf.keys.publicKey), privateKey: from(leaf.keys.privateKey) };
  return [ak, { ak_cert_chain: [base64(leaf.certificate.der)] }];
}

describe('whose key it is', () => {
  const trusted: readonly (readonly [how: string, trust: string, source: () => Promise<EvidenceSource>])[] = [
    ['by the digest of its key', 'configured-key', async () => tpmSource(byDigest)],
    ['by its name in its TPM', 'configured-name', async () => tpmSource(byName, withArea(byName))],
    ['by a file of its key', 'configured-key', async () => tpmSource(byFile)],
    ['by a certificate', 'certificate', async () => tpmSource(...(await certified()))],
  ];
  test.each(trusted)('is known %s', async (_how, trust, source) => {
    const { claims } = await appraised(verigo.url, await source());
    expect(claims).toMatchObject({ ak_trust: trust, pcr11: PCR_11 });
  });

  const unknown: readonly (readonly [what: string, code: string, source: () => Promise<EvidenceSource>])[] = [
    ['a key that nobody named', 'AK_NOT_TRUSTED', async () => tpmSource(stranger)],
    ['the same with its public area', 'AK_NOT_TRUSTED', async () => tpmSource(stranger, withArea(stranger))],
    ['a known name for another key', 'TPM_KEY_UNSUITABLE', async () => tpmSource(stranger, withArea(byName))],
    [
      'a known key, quoted by another',
      'SIGNATURE_INVALID',
      async () => tpmSource(byDigest, {}, { signer: stranger.privateKey }),
    ],
    [
      'the certificate of another key',
      'AK_CERTIFICATE_MISMATCH',
      async () => tpmSource(stranger, (await certified())[1]),
    ],
    [
      "another authority's certificate",
      'CHAIN_UNTRUSTED',
      async () => tpmSource(...(await certified(await issue('TPM root')))),
    ],
  ];
  test.each(unknown)('%s is refused: %s', async (_what, code, source) => {
    expect(await replyTo(verigo.url, await source())).toMatchObject({ status: 401, code });
  });

  test('a server does not start with a list of keys that is none', async () => {
    const started = startVerigo({ config: { verifiers: { tpm: { trusted_aks: ['no key'] } } } });
    await expect(started).rejects.toMatchObject({ code: 'TRUSTED_AK_MALFORMED' });
  });
});

describe('from challenge to secret', () => {
  test('without reference values nothing is affirmed', async () => {
    const { status, token } = await appraised(verigo.url, tpmSource(byDigest));
    expect(status).not.toBe('affirming');
    expect(await getResource(verigo.url, RESOURCE, { token })).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });

  test('with them, a known key and a known PCR 11 open it', async () => {
    await createAdministrator(verigo.url, await verigo.adminToken()).setReferenceValues([
      ['tpm_pcr11', [PCR_11]],
      ['trusted_aks', [spkiOf(byDigest.publicKey).toString('base64')]],
    ]);
    const key = createGuestKey();
    const { status, token } = await appraised(verigo.url, tpmSource(byDigest), { key });
    expect(status).toBe('affirming');
    expect(await openResource(await getResource(verigo.url, RESOURCE, { token }), key)).toBe(SECRET);
    const values = fakePcrs().with(11, new Uint8Array(32));
    expect((await appraised(verigo.url, tpmSource(byDigest, {}, { values }))).status).not.toBe('affirming');
    expect((await appraised(verigo.url, tpmSource(byFile))).status).not.toBe('affirming');
  });

  test('init data is bound by PCR 8, and by no other in its place', async () => {
    const values = fakePcrs().with(8, extendedOnce(initDataDigest));
    const { appraisal } = await appraised(verigo.url, tpmSource(byDigest, {}, { values }), {
      initData: INIT_DATA,
    });
    expect(appraisal['ear.veraison.annotated-evidence']).toMatchObject({ init_data_claims: { a: 'b' } });
    const elsewhere = {
      selection: [{ algorithm: SHA256_BANK, indices: [...range(0, 8), 23] }],
      values: values.slice(0, 9),
    };
    expect(
      await replyTo(verigo.url, tpmSource(byDigest, {}, elsewhere), { initData: INIT_DATA }),
    ).toMatchObject({
      status: 401,
      code: 'INIT_DATA_PCR_NOT_QUOTED',
    });
  });

  test('a quote for another request is refused', async () => {
    const source = tpmSource(byDigest, {}, { extraData: new Uint8Array(48).fill(7) });
    expect(await replyTo(verigo.url, source)).toMatchObject({ status: 401, code: 'REPORT_DATA_MISMATCH' });
  });
});

describe('the event log', () => {
  const records: readonly FakeRecord[] = [
    { index: 4, event: 'boot' },
    { index: 5 },
    { index: 4, event: 'kernel' },
  ];
  const log = (changed: readonly FakeRecord[] = records): object => ({
    event_log: base64(fakeEventLog({ algorithms: ['sha256'], records: changed })),
  });
  const digest = (event: string): Uint8Array => createHash('sha256').update(event).digest();
  const values = fakePcrs()
    .with(4, fakeRegister('sha256', [digest('boot'), digest('kernel')]))
    .with(5, fakeRegister('sha256', [digest('\0\0\0\0')]));

  test('that replays to the quoted PCRs is in the token', async () => {
    const { claims } = await appraised(verigo.url, tpmSource(byDigest, log(), { values }));
    expect(claims['uefi_event_logs']).toMatchObject([{ index: 4 }, { index: 5 }, { index: 4 }]);
    expect((await appraised(verigo.url, tpmSource(byDigest))).claims).not.toHaveProperty('uefi_event_logs');
  });

  test.each<[what: string, code: string, changed: readonly FakeRecord[], named: string]>([
    ['in another order', 'EVENT_LOG_REPLAY_MISMATCH', records.toReversed(), 'register 4:'],
    [
      'with another event',
      'EVENT_LOG_REPLAY_MISMATCH',
      records.with(1, { index: 5, event: 'x' }),
      'register 5:',
    ],
    ['of a PCR that is not there', 'EVENT_LOG_REGISTER_UNKNOWN', [...records, { index: 24 }], '24'],
  ])('%s is refused: %s', async (_what, code, changed, named) => {
    const reply = await replyTo(verigo.url, tpmSource(byDigest, log(changed), { values }));
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({ status: 401, code });
    expect(reply.detail).toContain(named);
  });
});
