import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { start as startAgent } from '../../agent/attestation-agent/attestation-agent-role.ts';
import { parseBoundToken } from '../../agent/binding/bound-token-text.ts';
import { loadConfig } from '../../agent/config/load-config.ts';
import { createAgentTokens } from '../../agent/kbs-client/agent-tokens.ts';
import { bearerCredentials } from '../../agent/kbs-client/credentials.ts';
import { createGetResource } from '../../agent/kbs-client/resource-servers.ts';
import { parseUnixAddress } from '../../agent/rpc/address.ts';
import { createRpcClient, type RpcClient } from '../../agent/rpc/client.ts';
import {
  AttestationAgentService,
  RuntimeMeasurementResult,
} from '../../agent/rpc/gen/attestation_agent_pb.ts';
import { createGrpcTransport } from '../../agent/rpc/grpc-transport.ts';
import { createTtrpcTransport } from '../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { plainServer } from '../fakes/fake-guest.ts';
import { createAdministrator } from '../harness/administrator.ts';
import { type AgentFolder, agentFolder } from '../harness/agent-process.ts';
import { send } from '../harness/http.ts';
import { resourcePolicy } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import type { ConfigDocument } from '../harness/test-config.ts';

const RESOURCE = 'default/disk/passphrase';
const SECRET = 'the passphrase of a disk';

let now = Date.now();
const clock = (): Date => new Date(now);
let verigo: RunningVerigo;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  verigo = await startVerigo({ clock });
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, SECRET);
  await administrator.postResourcePolicy(resourcePolicy(true));
});
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});
afterAll(async () => {
  await verigo.close();
});

type Client = RpcClient<typeof AttestationAgentService>;

interface Agent {
  readonly place: AgentFolder;
  readonly warnings: readonly string[];
  readonly clients: Readonly<Record<'ttrpc' | 'grpc', Client>>;
}

/** The agent as `serve` starts it, in this process, over both transports. */
async function start(changes: ConfigDocument = {}, initData?: string): Promise<Agent> {
  const place = agentFolder(verigo.url, changes);
  const warnings: string[] = [];
  const config = await loadConfig({
    file: place.config,
    env: {},
    root: '/',
    overrides: [{ path: ['sockets', 'listen'], value: [place.socket, '127.0.0.1:0'] }],
  });
  const options = { config, root: '/', env: {}, architecture: 'x64', userAgent: 'verigo-aa/test' };
  const log = { warn: (message: string) => warnings.push(message), failure: () => undefined };
  const agent = await startAgent({ ...options, initData: { text: initData } }, { clock, log }).catch(
    (error: unknown) => {
      place.remove();
      throw error;
    },
  );
  const ttrpc = createTtrpcTransport(parseUnixAddress(place.socket));
  const grpc = createGrpcTransport({ host: '127.0.0.1', port: agent.grpcPorts[0]! });
  open.push({
    async [Symbol.asyncDispose]() {
      ttrpc.close();
      grpc.close();
      await agent.close(1_000);
      place.remove();
    },
  });
  const client = (transport: typeof ttrpc): Client =>
    createRpcClient(AttestationAgentService, transport, 20_000);
  return { place, warnings, clients: { ttrpc: client(ttrpc), grpc: client(grpc) } };
}

async function tokenText(client: Client, tokenType: string): Promise<string> {
  return Buffer.from((await client.getToken({ tokenType })).token).toString();
}

/** How many attestations the server has on record. */
async function attestations(): Promise<number> {
  const reply = await send(verigo.url, '/api/v1/decisions?kind=attestation&limit=200', {
    token: await verigo.adminToken(),
  });
  return (reply.json() as { items: readonly unknown[] }).items.length;
}

describe.each(['ttrpc', 'grpc'] as const)('over %s', (transport) => {
  test('every RPC', async () => {
    const { clients, warnings } = await start();
    const client = clients[transport];
    expect((await client.getTeeType({})).tee).toBe('sample');
    expect((await client.getAdditionalTees({})).additionalTees).toEqual([]);
    expect((await client.getAdditionalEvidence({})).evidence).toHaveLength(0);
    const { evidence } = await client.getEvidence({ runtimeData: Buffer.from('abc') });
    expect(Buffer.from(evidence).toString()).toBe('{"svn":"1","report_data":"YWJj"}');
    expect(
      (await client.extendRuntimeMeasurement({ domain: 'a', operation: 'b', content: 'c' })).result,
    ).toBe(RuntimeMeasurementResult.NOT_ENABLED);
    await expect(client.bindInitData({ digest: new Uint8Array(48) })).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
    });
    expect(warnings).toEqual(['the sample attester is in use: its evidence proves nothing']);
  });

  test('tokens: by passport as text, by background check and bound with their key', async () => {
    const { clients } = await start();
    const client = clients[transport];
    const bare = await tokenText(client, 'coco_as');
    expect(decodeJwt(bare)).toMatchObject({ iss: verigo.config.attestation.issuer });
    for (const type of ['kbs', 'coco_as_bound']) {
      const text = await tokenText(client, type);
      expect(Object.keys(JSON.parse(text) as object)).toEqual(['token', 'tee_keypair']);
      const { key, token } = await parseBoundToken(text, { at: clock(), skewSeconds: 60 });
      expect(decodeJwt<{ cnf: { jwk: object } }>(token).cnf.jwk).toMatchObject(key.publicJwk);
    }
  });

  test.each(['kbs', 'coco_as_bound'])('a %s token opens a resource', async (tokenType) => {
    const { clients } = await start();
    const tokens = createAgentTokens({
      askAgent: async (type) => await tokenText(clients[transport], type),
      tokenType,
      saysWhatWasRefused: true,
      clock,
      lifetime: { renewBeforeSeconds: 30, skewSeconds: 60 },
    });
    const server = plainServer(verigo.url);
    const getResource = createGetResource(new Map([['', { server, obtain: bearerCredentials(tokens) }]]));
    expect(Buffer.from(await getResource(`kbs:///${RESOURCE}`)).toString()).toBe(SECRET);
  });

  test.each(['kbs', 'coco_as'])(
    '50 calls for %s: one attestation (A2); a new one before it ends',
    async (type) => {
      const { clients } = await start();
      const client = clients[transport];
      const before = await attestations();
      const texts = await Promise.all(Array.from({ length: 50 }, async () => await tokenText(client, type)));
      expect(new Set(texts).size).toBe(1);
      expect((await attestations()) - before).toBe(1);
      now += (verigo.config.attestation.token_lifetime_seconds - 29) * 1000;
      expect(await tokenText(client, type)).not.toBe(texts[0]);
      expect((await attestations()) - before).toBe(2);
    },
  );

  test('services by name; one that is not configured is told from a type that does not exist', async () => {
    const { clients } = await start({
      token_configs: { coco_as: { second: { url: verigo.url } } },
    });
    const client = clients[transport];
    expect(decodeJwt(await tokenText(client, 'coco_as:second'))).toHaveProperty('submods');
    await expect(tokenText(client, 'coco_as')).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('(TOKEN_SOURCE_NOT_CONFIGURED)') as string,
    });
    await expect(tokenText(client, 'other')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('(TOKEN_TYPE_UNKNOWN)') as string,
    });
  });

  test('an event log that is enabled where there is no register: not supported, and serving on (A3)', async () => {
    const { clients } = await start({ eventlog_config: { enable_eventlog: true } });
    const client = clients[transport];
    const event = { domain: 'a', operation: 'b', content: 'c', registerIndex: 10n };
    expect((await client.extendRuntimeMeasurement(event)).result).toBe(
      RuntimeMeasurementResult.NOT_SUPPORTED,
    );
    expect((await client.getTeeType({})).tee).toBe('sample');
  });

  test('a sample device has evidence of its own, which is part of the token', async () => {
    const { clients } = await start({
      attester: { dangerously_use_sample_attester: true, dangerously_use_sample_device: true },
    });
    const client = clients[transport];
    expect((await client.getAdditionalTees({})).additionalTees).toEqual(['sampledevice']);
    const { submods } = decodeJwt<{ submods: object }>(await tokenText(client, 'coco_as'));
    expect(Object.keys(submods)).toHaveLength(2);
  });
});

describe('at the start', () => {
  const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n';

  test('init data that the TEE has no field for is not proven, is told so, and travels to the server', async () => {
    const { clients, warnings } = await start({}, INIT_DATA);
    expect(warnings).toContain('the init data is not proven: sample evidence has no field for init data');
    expect(decodeJwt(await tokenText(clients.ttrpc, 'kbs'))).toHaveProperty('submods');
  });

  test('init data that cannot be read ends it', async () => {
    await expect(start({}, 'version = "0.2.0"')).rejects.toMatchObject({
      code: 'INIT_DATA_VERSION_UNSUPPORTED',
    });
  });

  test('no TEE: an error, and not the sample (A14)', async () => {
    await expect(start({ attester: {} })).rejects.toMatchObject({ code: 'TEE_NOT_FOUND' });
  });

  test('an address that is taken leaves nothing open', async () => {
    const place = agentFolder(verigo.url);
    await mkdir(join(place.folder, 'run'));
    await writeFile(join(place.folder, 'run/aa.sock'), 'no socket');
    const config = await loadConfig({
      file: place.config,
      env: {},
      root: '/',
      overrides: [
        { path: ['sockets', 'listen'], value: [`unix://${place.folder}/first.sock`, place.socket] },
      ],
    });
    const options = { config, root: '/', env: {}, architecture: 'x64', userAgent: 'verigo-aa/test' };
    const log = { warn: () => undefined, failure: () => undefined };
    await expect(startAgent(options, { clock, log })).rejects.toMatchObject({ code: 'SOCKET_NOT_A_SOCKET' });
    const transport = createTtrpcTransport(parseUnixAddress(`unix://${place.folder}/first.sock`));
    const client = createRpcClient(AttestationAgentService, transport, 5_000);
    await expect(client.getTeeType({})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    transport.close();
    place.remove();
  });
});
