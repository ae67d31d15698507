import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createMoods, type Moods } from '../../../fakes/kms-moods.ts';
import { hasPython, type Moto, startMoto } from '../../../fakes/run-moto.ts';
import {
  json,
  type ScriptedReply,
  type ScriptedServer,
  startScriptedServer,
} from '../../../fakes/scripted-server.ts';
import { createKmsGuest, failureOf, KEY, type KmsGuest } from './kms-setup.ts';

const SETTINGS = { region: 'eu-central-1' };
const CREDENTIAL = { access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 'a secret access key' };

/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
const isThere = hasPython();
if (!isThere && !mustRun) console.warn('no Python with venv and pip: AWS is not tested against moto');

let guest: KmsGuest;

beforeEach(async () => {
  guest = await createKmsGuest('AWS', {
    attempts: {
      deadlineMilliseconds: 10_000,
      attemptMilliseconds: 3_000,
      retries: 1,
      firstPauseMilliseconds: 1,
    },
  });
});

afterEach(async () => {
  await guest.close();
});

describe.skipIf(!isThere && !mustRun)('AWS as moto has it', () => {
  let moto: Moto;
  let keyId: string;
  const binary = Uint8Array.of(0x41, 0x00, 0x42);

  beforeAll(async () => {
    moto = await startMoto();
    const credentials = {
      accessKeyId: CREDENTIAL.access_key_id,
      secretAccessKey: CREDENTIAL.secret_access_key,
    };
    const config = { ...SETTINGS, credentials, endpoint: moto.url };
    const { KeyMetadata: key } = await new KMSClient(config).send(new CreateKeyCommand({}));
    keyId = key!.KeyId!;
    const secrets = new SecretsManagerClient(config);
    await secrets.send(new CreateSecretCommand({ Name: 'app/database', SecretString: 'the first' }));
    await secrets.send(new PutSecretValueCommand({ SecretId: 'app/database', SecretString: 'the newest' }));
    await secrets.send(new CreateSecretCommand({ Name: 'binary', SecretBinary: binary }));
  }, 300_000);

  afterAll(async () => {
    await moto.stop();
  });

  beforeEach(async () => {
    const endpoints = { kms: moto.url, secretsmanager: moto.url };
    await guest.credential('aws', 'credential.json', { ...CREDENTIAL, session_token: 'a token', endpoints });
  });

  it('decrypts what it has encrypted', async () => {
    const encrypted = await guest.encrypt(keyId, SETTINGS);
    expect(await guest.decrypt(encrypted, SETTINGS)).toEqual(KEY);
  });

  // Row C8 of the defects: upstream sends the context only when it decrypts.
  it('encrypts and decrypts in an encryption context, and not in another', async () => {
    const encrypted = await guest.encrypt(keyId, SETTINGS, { encryption_context: { pod: 'one' } });
    expect(encrypted.annotations).toEqual({ encryption_context: { pod: 'one' } });
    expect(await guest.decrypt(encrypted, SETTINGS)).toEqual(KEY);
    for (const annotations of [{}, { encryption_context: { pod: 'two' } }]) {
      await expect(guest.decrypt({ ...encrypted, annotations }, SETTINGS)).rejects.toMatchObject({
        code: 'KMS_REQUEST_REFUSED',
      });
    }
  });

  it('refuses an altered ciphertext', async () => {
    const encrypted = await guest.encrypt(keyId, SETTINGS);
    const ciphertext = encrypted.ciphertext.map((byte, index) => (index === 60 ? byte ^ 1 : byte));
    await expect(guest.decrypt({ ...encrypted, ciphertext }, SETTINGS)).rejects.toMatchObject({
      name: 'KmsError',
    });
  });

  it.each([
    ['the newest', 'app/database', {}, 'the newest'],
    ['by upstream’s empty annotations', 'app/database', { version_id: '', version_stage: '' }, 'the newest'],
    ['by its stage', 'app/database', { version_stage: 'AWSPREVIOUS' }, 'the first'],
    ['that is binary', 'binary', {}, 'A\u0000B'],
  ])('gets a secret, %s', async (_what, name, annotations, secret) => {
    expect(await guest.get(name, SETTINGS, annotations)).toBe(secret);
  });

  it('knows no other key or secret', async () => {
    await expect(guest.encrypt('00000000-0000-0000-0000-000000000000', SETTINGS)).rejects.toMatchObject({
      code: 'KMS_NOT_FOUND',
    });
    await expect(guest.get('other', SETTINGS)).rejects.toMatchObject({ code: 'KMS_NOT_FOUND' });
  });
});

describe('an AWS in trouble', () => {
  let server: ScriptedServer;
  let moods: Moods;
  let reply: ScriptedReply;

  beforeEach(async () => {
    moods = createMoods(() => reply);
    server = await startScriptedServer(moods.script);
    const endpoints = { kms: server.url, secretsmanager: server.url };
    await guest.credential('aws', 'credential.json', { ...CREDENTIAL, endpoints });
  });

  afterEach(async () => {
    await server.close();
  });

  const refusal = (name: string, status: number): ScriptedReply =>
    json({ __type: name, message: `not with ${CREDENTIAL.secret_access_key}` }, status);
  const decrypt = async (): Promise<unknown> =>
    await guest.decrypt({ ciphertext: KEY, keyId: 'alias/guest', annotations: {} }, SETTINGS);

  it.each([
    ['AccessDeniedException', 400, 'KMS_DENIED', 1],
    ['UnrecognizedClientException', 400, 'KMS_DENIED', 1],
    ['ExpiredTokenException', 400, 'KMS_DENIED', 1],
    ['NotFoundException', 400, 'KMS_NOT_FOUND', 1],
    ['InvalidCiphertextException', 400, 'KMS_REQUEST_REFUSED', 1],
    ['ThrottlingException', 400, 'KMS_UNAVAILABLE', 2],
    ['KMSInternalException', 500, 'KMS_UNAVAILABLE', 2],
  ])('that answers %s (%i): %s after %i requests', async (name, status, code, requests) => {
    reply = refusal(name, status);
    const error = await failureOf(decrypt);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify([error.message, error.cause])).not.toContain('not with');
    expect(server.seen).toHaveLength(requests);
  });

  it.each([
    ['hangs', 'KMS_UNAVAILABLE'],
    ['breaks', 'KMS_UNAVAILABLE'],
    ['garbage', 'KMS_ANSWER_MALFORMED'],
    ['empty', 'KMS_ANSWER_MALFORMED'],
  ] as const)('that %s: %s', async (mood, code) => {
    moods.set(mood);
    expect(await failureOf(decrypt)).toMatchObject({ code });
  });

  it.each([
    ['the credential', 'eu-central-1', true],
    ['the region', 'eu-nowhere-1', false], // of a name that nobody has
  ])('is asked where %s says, whatever the environment says', async (_what, region, hasEndpoint) => {
    const other = await startScriptedServer(() => reply);
    if (!hasEndpoint) await guest.credential('aws', 'credential.json', CREDENTIAL);
    const before = process.env['AWS_ENDPOINT_URL'];
    process.env['AWS_ENDPOINT_URL'] = other.url;
    try {
      reply = json({ Plaintext: Buffer.from(KEY).toString('base64'), KeyId: 'a key' });
      const encrypted = { ciphertext: KEY, keyId: 'alias/guest', annotations: {} };
      const decrypted = guest.decrypt(encrypted, { region });
      if (hasEndpoint) expect(await decrypted).toEqual(KEY);
      else await expect(decrypted).rejects.toMatchObject({ code: 'KMS_UNAVAILABLE' });
      expect(other.seen).toHaveLength(0);
    } finally {
      if (before === undefined) delete process.env['AWS_ENDPOINT_URL'];
      else process.env['AWS_ENDPOINT_URL'] = before;
      await other.close();
    }
  });

  it('does not wait for longer than somebody waits', async () => {
    moods.set('hangs');
    const controller = new AbortController();
    const encrypted = { ciphertext: KEY, keyId: 'alias/guest', annotations: {} };
    const failure = failureOf(async () => await guest.decrypt(encrypted, SETTINGS, controller.signal));
    controller.abort();
    expect(await failure).toMatchObject({ code: 'KMS_UNAVAILABLE' });
  });

  it.each([
    [
      'a region that is no part of a name',
      { region: 'eu-central-1.invalid/' },
      'PROVIDER_SETTINGS_MALFORMED',
    ],
    ['no region', {}, 'PROVIDER_SETTINGS_MALFORMED'],
  ])('is not asked with %s', async (_what, settings, code) => {
    await expect(guest.get('name', settings)).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(0);
  });

  it.each([
    ['an encryption context that is no text', { encryption_context: { a: 1 } }],
    ['no encryption context', { encryption_context: 'a' }],
  ])('refuses %s', async (_what, annotations) => {
    await expect(guest.encrypt('alias/guest', SETTINGS, annotations)).rejects.toMatchObject({
      code: 'PROVIDER_ANNOTATIONS_MALFORMED',
    });
  });
});

it.each([
  ['no credential', undefined, 'CREDENTIALS_MISSING'],
  ['half a credential', { access_key_id: 'a' }, 'CREDENTIALS_MALFORMED'],
  [
    'an endpoint without TLS',
    { ...CREDENTIAL, endpoints: { kms: 'http://kms.invalid' } },
    'CREDENTIALS_MALFORMED',
  ],
])('refuses %s', async (_what, content, code) => {
  if (content !== undefined) await guest.credential('aws', 'credential.json', content);
  await expect(guest.encrypt('alias/guest', SETTINGS)).rejects.toMatchObject({ code });
});
