import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createTokenService,
  type TokenService,
} from '../../../agent/attestation-agent/tokens/token-service.ts';
import { type HubConfig, parseHubConfig } from '../../../agent/data-hub/config.ts';
import { dataHubRole } from '../../../agent/data-hub/data-hub-role.ts';
import { restRole } from '../../../agent/rest/rest-role.ts';
import { createRpcClient } from '../../../agent/rpc/client.ts';
import { GetResourceService, ImagePullService } from '../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { createGrpcTransport } from '../../../agent/rpc/grpc-transport.ts';
import { RpcError } from '../../../agent/rpc/rpc-error.ts';
import { createTtrpcTransport } from '../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { type FakeAttestationAgent, startFakeAttestationAgent } from '../../fakes/fake-attestation-agent.ts';
import { fakeGuest, plainServer, QUICK } from '../../fakes/fake-guest.ts';
import { fakeSealedSecret, fakeSecretSigner, VAULT } from '../../fakes/fake-secrets.ts';
import { createAdministrator } from '../../harness/administrator.ts';
import { connectHub, createGuestPlace, type GuestPlace, type HubClient } from '../../harness/data-hub.ts';
import { send } from '../../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../../harness/serve-verigo.ts';

/** The whole way: hub over ttrpc, Attestation Agent over ttrpc, and a server that attests and releases. */
const POLICY =
  'package policy\ndefault allow = false\nallow if data["resource-path"] != ["default", "secret", "denied"]\n';
const owner = fakeSecretSigner();
let place: GuestPlace;
let verigo: RunningVerigo;
let agent: FakeAttestationAgent;
let tokens: TokenService;
let hub: HubClient;

beforeAll(async () => {
  place = await createGuestPlace();
  verigo = await startVerigo();
  place.defer(async () => {
    await verigo.close();
  });
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.postResourcePolicy(POLICY);
  await administrator.putResource('default/secret/one', 'the secret');
  tokens = createTokenService({
    guest: fakeGuest(),
    attestationServices: new Map(),
    resourceServers: new Map([
      ['', { server: plainServer(verigo.url), tokenSource: { kind: 'background-check' } }],
    ]),
    attempts: QUICK,
  });
  agent = await startFakeAttestationAgent(place.address('aa'));
  agent.state.getToken = async (type) => await tokens.getToken(type);
  place.defer(async () => {
    await agent.close();
  });
  mkdirSync(join(place.folder, 'keys'));
  writeFileSync(join(place.folder, 'keys', 'owner'), JSON.stringify(owner.publicJwk));
  await startHub('hub', configOf('hub'));
  hub = connectHub(place, place.address('hub'));
});
afterAll(async () => {
  await place.close();
});

function configOf(name: string, more = ''): HubConfig {
  return parseHubConfig(
    `socket = "${place.uri(name)}"
     aa.aa_socket = "${place.uri('aa')}"
     kbc = { name = "cc_kbc", url = "${verigo.url}", kbs_cert = "" }
     sealed_secret.key_folder = "${join(place.folder, 'keys')}"
     ${more}`,
    'toml',
  );
}

async function startHub(name: string, config: HubConfig): Promise<void> {
  const role = dataHubRole({
    config,
    userAgent: 'verigo-cdh/test',
    attempts: QUICK,
    credentialFolder: join(place.folder, `credentials-${name}`),
  });
  const running = await role.start(place.context);
  place.defer(async () => {
    await running.close(0);
  });
}

async function resourceOf(uri: string): Promise<string> {
  return Buffer.from((await hub.resources.getResource({ resourcePath: uri })).resource).toString();
}

async function failureOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return `${(error as RpcError).code}: ${(error as RpcError).message}`;
}

describe('resources', () => {
  test('with the agent’s token, which is asked for once (C1, C2)', async () => {
    agent.state.seen.length = 0;
    expect(await resourceOf('kbs:///default/secret/one')).toBe('the secret');
    expect(await resourceOf('kbs+resource:///default/secret/one')).toBe('the secret');
    expect(await resourceOf('kbs://any.host:8080/default/secret/one')).toBe('the secret');
    expect(agent.state.seen).toMatchObject([{ tokenType: 'kbs' }]);
  });

  test.each([
    ['kbs:///default/secret/denied', 'PERMISSION_DENIED: [CDH] [ERROR]: Get Resource failed (POLICY_DENIED)'],
    ['kbs:///default/secret/none', 'NOT_FOUND: [CDH] [ERROR]: Get Resource failed (RESOURCE_NOT_FOUND)'],
    ['kbs+none:///a/b', 'NOT_FOUND: [CDH] [ERROR]: Get Resource failed (PLUGIN_NOT_FOUND)'],
    ['http:///a/b/c', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_SCHEME)'],
    ['kbs+:///a/b/c', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_PLUGIN_MISSING)'],
    ['kbs:///a/../b', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_PATH_REFUSED)'],
    ['kbs:///a/%2e%2e/b', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_PATH_REFUSED)'],
    ['kbs:///a//b', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_PATH_REFUSED)'],
    ['', 'INVALID_ARGUMENT: [CDH] [ERROR]: Get Resource failed (RESOURCE_URI_MALFORMED)'],
  ])('%s: %s', async (resourcePath, expected) => {
    expect(await failureOf(hub.resources.getResource({ resourcePath }))).toBe(expected);
  });

  test('hosts route where there is a table, and others are refused', async () => {
    const table = `resource_servers = [{ host = "Vault.example", url = "${verigo.url}", plugins = ["resource"] }]`;
    await startHub('routing', configOf('routing', table));
    const { resources } = connectHub(place, place.address('routing'));
    const get = async (resourcePath: string) => await resources.getResource({ resourcePath });
    expect(Buffer.from((await get('kbs://vault.example/default/secret/one')).resource).toString()).toBe(
      'the secret',
    );
    expect(await failureOf(get('kbs://other.example/default/secret/one'))).toBe(
      'PERMISSION_DENIED: [CDH] [ERROR]: Get Resource failed (RESOURCE_SERVER_UNKNOWN)',
    );
    expect(await failureOf(get('kbs+kv://vault.example/a'))).toBe(
      'PERMISSION_DENIED: [CDH] [ERROR]: Get Resource failed (PLUGIN_NOT_ALLOWED)',
    );
  });

  test('an agent that is not there; its failure is in the log, and not in the answer', async () => {
    const config = configOf('lonely');
    await startHub('lonely', { ...config, aa: { aa_socket: place.uri('nobody') } });
    const { resources } = connectHub(place, place.address('lonely'));
    place.log.failures.length = 0;
    expect(await failureOf(resources.getResource({ resourcePath: 'kbs:///a/b/c' }))).toBe(
      'UNAVAILABLE: [CDH] [ERROR]: Get Resource failed (ATTESTATION_AGENT_UNAVAILABLE)',
    );
    expect(place.log.failures).toMatchObject([
      {
        path: '/api.GetResourceService/GetResource',
        error: { cause: { code: 'ATTESTATION_AGENT_UNAVAILABLE' } },
      },
    ]);
  });
});

describe('sealed secrets and keys of images', () => {
  test('a secret of the owner', async () => {
    const { plaintext } = await hub.secrets.unsealSecret({ secret: Buffer.from(fakeSealedSecret(owner)) });
    expect(Buffer.from(plaintext).toString()).toBe('the secret');
  });

  test.each([
    [
      'of a stranger',
      fakeSealedSecret(fakeSecretSigner()),
      'PERMISSION_DENIED',
      'SEALED_SECRET_SIGNATURE_INVALID',
    ],
    ['that is none', 'x', 'INVALID_ARGUMENT', 'SEALED_SECRET_MALFORMED'],
    [
      'of a resource that is not there',
      fakeSealedSecret(owner, { payload: { ...VAULT, name: 'kbs:///default/secret/none' } }),
      'NOT_FOUND',
      'RESOURCE_NOT_FOUND',
    ],
  ])('a secret %s', async (_what, secret, code, reason) => {
    expect(await failureOf(hub.secrets.unsealSecret({ secret: Buffer.from(secret) }))).toBe(
      `${code}: [CDH] [ERROR]: Unseal Secret failed (${reason})`,
    );
  });

  test.each([
    ['{}', 'INVALID_ARGUMENT: [ERROR] UnwrapKey Parse request failed (KEY_UNWRAP_INPUT_MALFORMED)'],
    [
      unwrapInput({}),
      'INVALID_ARGUMENT: [CDH] [ERROR]: Decrypt Image (UnwrapKey) failed (ANNOTATION_PACKET_MALFORMED)',
    ],
    [
      unwrapInput({ kid: 'kbs:///default/secret/one', wrapped_data: '', iv: '', wrap_type: 'A256GCM' }),
      'INVALID_ARGUMENT: [CDH] [ERROR]: Decrypt Image (UnwrapKey) failed (CONTENT_KEY_LENGTH_WRONG)',
    ],
  ])('the key of an image: %s', async (input, expected) => {
    const request = { keyProviderKeyWrapProtocolInput: Buffer.from(input) };
    expect(await failureOf(hub.keys.unWrapKey(request))).toBe(expected);
  });
});

function unwrapInput(packet: object): string {
  const annotation = Buffer.from(JSON.stringify(packet)).toString('base64');
  return JSON.stringify({ op: 'keyunwrap', keyunwrapparams: { annotation } });
}

test('what the hub does not do is not there, and says no reason', async () => {
  const transport = createTtrpcTransport(place.address('hub'));
  place.defer(() => {
    transport.close();
  });
  const images = createRpcClient(ImagePullService, transport, 5_000);
  expect(await failureOf(images.pullImage({ imageUrl: 'x' }))).toMatch(/^NOT_FOUND: .*PullImage(?!.*\))/);
  expect(await failureOf(hub.keys.wrapKey({}))).toMatch(/^NOT_FOUND: .*WrapKey/);
});

test('the same over gRPC', async () => {
  const port = await freePort();
  await startHub('grpc', { ...configOf('grpc'), socket: `127.0.0.1:${port}` });
  const transport = createGrpcTransport({ host: '127.0.0.1', port });
  place.defer(() => {
    transport.close();
  });
  const resources = createRpcClient(GetResourceService, transport, 20_000);
  const { resource } = await resources.getResource({ resourcePath: 'kbs:///default/secret/one' });
  expect(Buffer.from(resource).toString()).toBe('the secret');
  expect(await failureOf(resources.getResource({ resourcePath: 'kbs:///default/secret/none' }))).toBe(
    'NOT_FOUND: [CDH] [ERROR]: Get Resource failed (RESOURCE_NOT_FOUND)',
  );
});

test('and over HTTP, through the front', async () => {
  const front = await restRole({
    features: 'all',
    version: 'x',
    bind: '127.0.0.1:0',
    hubAddress: place.uri('hub'),
    agentAddress: place.uri('aa'),
  }).start(place.context);
  place.defer(async () => {
    await front.close(0);
  });
  const url = `http://127.0.0.1:${front.port}`;
  expect((await send(url, '/cdh/resource/default/secret/one')).text).toBe('the secret');
  const codes: unknown[] = [];
  for (const path of ['resource/default/secret/none', 'resource/default/secret/denied', 'plugin/none/a']) {
    const { status, code } = await send(url, `/cdh/${path}`);
    codes.push([status, code]);
  }
  expect(codes).toEqual([
    [404, 'RESOURCE_NOT_FOUND'],
    [403, 'POLICY_DENIED'],
    [404, 'PLUGIN_NOT_FOUND'],
  ]);
  expect((await send(url, '/aa/token?token_type=kbs')).json()).toMatchObject({
    token: expect.any(String) as string,
    tee_keypair: expect.any(String) as string,
  });
});

test('skipped verification is said in the log', async () => {
  place.log.warnings.length = 0;
  await startHub('skipping', configOf('skipping', 'skip_sealed_secret_verification = true'));
  const { secrets } = connectHub(place, place.address('skipping'));
  const secret = Buffer.from(`sealed.fakejwsheader.${fakeSealedSecret(owner).split('.')[2]!}.fakesignature`);
  expect(Buffer.from((await secrets.unsealSecret({ secret })).plaintext).toString()).toBe('the secret');
  expect(place.log.warnings).toEqual([expect.stringContaining('skip_sealed_secret_verification')]);
});

test('credentials are written at start, beside what else is served (C21)', async () => {
  const folder = join(place.folder, 'credentials-fetching');
  const config = configOf('fetching');
  const credentials = [
    { path: join(folder, 'none'), resource_uri: 'kbs:///default/secret/none' },
    { path: join(folder, 'a', 'one'), resource_uri: 'kbs:///default/secret/one' },
  ];
  await startHub('fetching', { ...config, credentials });
  await expect.poll(() => readFileSync(join(folder, 'a', 'one'), 'utf8')).toBe('the secret');
  await expect
    .poll(() => place.log.failures)
    .toContainEqual({
      path: 'credentials[0]',
      error: expect.objectContaining({ code: 'RESOURCE_NOT_FOUND' }) as unknown,
    });
});

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  return await new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => {
        resolve(port);
      });
    });
  });
}
