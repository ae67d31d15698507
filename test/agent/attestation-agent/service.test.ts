import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Attester } from '../../../agent/attestation-agent/attesters/attester.ts';
import { sampleDeviceAttester } from '../../../agent/attestation-agent/attesters/sample/sample-attester.ts';
import {
  openRuntimeMeasurement,
  type RuntimeMeasurement,
} from '../../../agent/attestation-agent/event-log/runtime-measurement.ts';
import { bindInitData } from '../../../agent/attestation-agent/init-data-at-start.ts';
import { compareWithField } from '../../../agent/attestation-agent/init-data-binding.ts';
import { type AttestationAgent, attestationAgentService } from '../../../agent/attestation-agent/service.ts';
import { AgentTokenError, parseTokenType } from '../../../agent/attestation-agent/tokens/token-type.ts';
import { ClientError } from '../../../agent/client-error.ts';
import { createRpcClient, type RpcClient, type RpcTransport } from '../../../agent/rpc/client.ts';
import {
  AttestationAgentService,
  RuntimeMeasurementResult,
} from '../../../agent/rpc/gen/attestation_agent_pb.ts';
import { startGrpcServer } from '../../../agent/rpc/grpc-server.ts';
import { createGrpcTransport } from '../../../agent/rpc/grpc-transport.ts';
import { startTtrpcServer } from '../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { fakeRegisters } from '../../fakes/fake-registers.ts';
import { socketFolder } from '../../harness/resource-service.ts';

const HOST_DATA = new Uint8Array(32).fill(7);
const opened = new Set<() => Promise<void> | void>();
let place: Awaited<ReturnType<typeof socketFolder>>;
let logged: { path: string; error: unknown }[];

beforeEach(async () => {
  place = await socketFolder();
  logged = [];
});
afterEach(async () => {
  for (const close of [...opened].toReversed()) await close();
  opened.clear();
  await place.remove();
});

/** A TEE that takes 64 bytes and that was launched with init data. */
const attester: Attester = {
  tee: 'snp',
  reportDataBytes: 64,
  evidence: async (reportData) => ({ report: Buffer.from(reportData).toString('hex'), svn: 2n ** 63n }),
  bindInitData: async (digest) => compareWithField(digest, HOST_DATA, 'HOST_DATA'),
};

async function measuring(enabled: boolean, registers = fakeRegisters()): Promise<RuntimeMeasurement> {
  return await openRuntimeMeasurement({
    enabled,
    registers,
    defaultPcr: 17,
    logPath: `${place.folder}/eventlog`,
    writeAheadPath: `${place.folder}/.wal`,
  });
}

type Client = RpcClient<typeof AttestationAgentService>;

async function clientOf(
  transport: 'ttrpc' | 'grpc',
  parts: Partial<AttestationAgent> & { readonly attester?: Attester } = {},
): Promise<Client> {
  const { attester: tee = attester } = parts;
  const agent: AttestationAgent = {
    provider: { ...tee, devices: [] },
    tokens: { getToken: async (type) => `token ${parseTokenType(type).form}` },
    measurement: await measuring(false),
    bindInitData: async (digest) => {
      await bindInitData(tee, digest);
    },
    ...parts,
  };
  const services = [attestationAgentService(agent, transport)];
  const log = (path: string, error: unknown): void => {
    logged.push({ path, error });
  };
  const connected = await (transport === 'ttrpc' ? serveTtrpc() : serveGrpc());
  opened.add(() => {
    connected.close();
  });
  return createRpcClient(AttestationAgentService, connected, 5_000);

  async function serveTtrpc(): Promise<RpcTransport> {
    const server = await startTtrpcServer({ address: place.address, services, log });
    opened.add(async () => {
      await server.close(0);
    });
    return createTtrpcTransport(place.address);
  }
  async function serveGrpc(): Promise<RpcTransport> {
    const server = await startGrpcServer({ address: { host: '127.0.0.1', port: 0 }, services, log });
    opened.add(async () => {
      await server.close(0);
    });
    return createGrpcTransport({ host: '127.0.0.1', port: server.port });
  }
}

function textOf({ evidence }: { readonly evidence: Uint8Array }): string {
  return Buffer.from(evidence).toString();
}

/** Upstream's words of a failed call. */
const WORDS = {
  ttrpc: {
    token: '[ERROR:attestation-agent] AA-KBC get token failed',
    evidence: '[ERROR:attestation-agent] AA-KBC get evidence failed',
    additional: '[ERROR:attestation-agent] AA-KBC get evidence failed',
    extend: '[ERROR:attestation-agent] AA extend runtime measurement failed',
    bind: '[ERROR:attestation-agent] AA binding init data failed',
  },
  grpc: {
    token: '[ERROR:attestation-agent] AA get token failed',
    evidence: '[ERROR:attestation-agent] AA get evidence failed',
    additional: '[ERROR:attestation-agent] AA get additional evidence failed',
    extend: '[ERROR:attestation-agent] AA extend runtime measurement failed',
    bind: '[ERROR:attestation-agent] AA binding init data failed',
  },
} as const;

describe.each(['ttrpc', 'grpc'] as const)('over %s', (transport) => {
  const words = WORDS[transport];

  it('GetEvidence: JSON of evidence for the bytes, padded for the TEE, with exact integers', async () => {
    const client = await clientOf(transport);
    const evidence = await client.getEvidence({ runtimeData: Buffer.from([1, 2]) });
    expect(textOf(evidence)).toBe(`{"report":"0102${'00'.repeat(62)}","svn":9223372036854775808}`);
  });

  it('GetEvidence: bytes that do not fit are refused, not cut (A17)', async () => {
    const client = await clientOf(transport);
    await expect(client.getEvidence({ runtimeData: new Uint8Array(65) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `${words.evidence} (REPORT_DATA_TOO_LONG)`,
    });
  });

  it('GetEvidence: what fails otherwise is told by its code, and in the log by its cause', async () => {
    const failure = new Error('s3cret');
    const client = await clientOf(transport, {
      attester: { ...attester, evidence: async () => await Promise.reject(failure) },
    });
    await expect(client.getEvidence({})).rejects.toMatchObject({
      code: 'INTERNAL',
      message: `${words.evidence} (INTERNAL)`,
    });
    expect(logged).toMatchObject([
      { path: '/attestation_agent.AttestationAgentService/GetEvidence', error: { cause: failure } },
    ]);
  });

  it('GetAdditionalEvidence: each device by its name; nothing, and not an object, without one', async () => {
    const without = await clientOf(transport);
    expect((await without.getAdditionalEvidence({})).evidence).toHaveLength(0);
    expect((await without.getAdditionalTees({})).additionalTees).toEqual([]);
    for (const close of [...opened].toReversed()) await close();
    opened.clear();
    const client = await clientOf(transport, { provider: { ...attester, devices: [sampleDeviceAttester] } });
    const evidence = await client.getAdditionalEvidence({ runtimeData: Buffer.from('abc') });
    expect(textOf(evidence)).toBe('{"sampledevice":{"svn":"2","report_data":"YWJj"}}');
    expect((await client.getAdditionalTees({})).additionalTees).toEqual(['sampledevice']);
  });

  it('GetAdditionalEvidence: a device that fails leaves no list without it (A16)', async () => {
    const device = { ...sampleDeviceAttester, evidence: async () => await Promise.reject(new Error('no')) };
    const client = await clientOf(transport, { provider: { ...attester, devices: [device] } });
    await expect(client.getAdditionalEvidence({})).rejects.toMatchObject({
      message: `${words.additional} (INTERNAL)`,
    });
  });

  it('GetTeeType', async () => {
    expect((await (await clientOf(transport)).getTeeType({})).tee).toBe('snp');
  });

  it('GetToken: of every type', async () => {
    const client = await clientOf(transport);
    const tokenOf = async (tokenType: string): Promise<string> =>
      Buffer.from((await client.getToken({ tokenType })).token).toString();
    expect(await tokenOf('kbs')).toBe('token bound');
    expect(await tokenOf('coco_as')).toBe('token bare');
    expect(await tokenOf('coco_as:second')).toBe('token bare');
    expect(await tokenOf('coco_as_bound:second')).toBe('token bound');
  });

  it.each([
    ['other', undefined, 'INVALID_ARGUMENT', 'TOKEN_TYPE_UNKNOWN'],
    [
      'kbs',
      new AgentTokenError('TOKEN_SOURCE_NOT_CONFIGURED', 'none'),
      'FAILED_PRECONDITION',
      'TOKEN_SOURCE_NOT_CONFIGURED',
    ],
    ['kbs', new ClientError('ATTESTATION_REFUSED', 'no'), 'PERMISSION_DENIED', 'ATTESTATION_REFUSED'],
    ['kbs', new ClientError('SERVER_UNREACHABLE', 'no'), 'UNAVAILABLE', 'SERVER_UNREACHABLE'],
    ['kbs', new ClientError('DEADLINE_EXCEEDED', 'no'), 'DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'],
    ['kbs', new ClientError('PIN_MISMATCH', 'no'), 'FAILED_PRECONDITION', 'PIN_MISMATCH'],
    ['kbs', new ClientError('TOKEN_MALFORMED', 'no'), 'INTERNAL', 'TOKEN_MALFORMED'],
  ])('GetToken of %s, failing: a code of its own (A11) %#', async (type, failure, code, reason) => {
    const client = await clientOf(
      transport,
      failure === undefined ? {} : { tokens: { getToken: async () => await Promise.reject(failure) } },
    );
    await expect(client.getToken({ tokenType: type })).rejects.toMatchObject({
      code,
      message: `${words.token} (${reason})`,
    });
  });

  const EVENT = { domain: 'domain', operation: 'operation', content: 'content' };

  it('ExtendRuntimeMeasurement: not enabled; not supported, and serving on (A3)', async () => {
    const disabled = await clientOf(transport);
    expect((await disabled.extendRuntimeMeasurement(EVENT)).result).toBe(
      RuntimeMeasurementResult.NOT_ENABLED,
    );
    for (const close of [...opened].toReversed()) await close();
    opened.clear();
    const measurement = await openRuntimeMeasurement({ enabled: true, registers: undefined, defaultPcr: 17 });
    const client = await clientOf(transport, { measurement });
    expect((await client.extendRuntimeMeasurement(EVENT)).result).toBe(
      RuntimeMeasurementResult.NOT_SUPPORTED,
    );
    expect((await client.getTeeType({})).tee).toBe('snp');
  });

  it('ExtendRuntimeMeasurement: the register that was asked for, else the configured one (A4)', async () => {
    const registers = fakeRegisters();
    const client = await clientOf(transport, { measurement: await measuring(true, registers) });
    expect((await client.extendRuntimeMeasurement(EVENT)).result).toBe(RuntimeMeasurementResult.OK);
    expect([...registers.values.keys()]).toEqual([17]);
    await client.extendRuntimeMeasurement({ ...EVENT, registerIndex: 12n });
    expect([...registers.values.keys()]).toEqual([17, 12]);
    await client.extendRuntimeMeasurement({ ...EVENT, registerIndex: 0n });
    expect([...registers.values.keys()]).toEqual([17, 12, 0]);
  });

  it('ExtendRuntimeMeasurement: an event that would be read otherwise is refused (A8)', async () => {
    const client = await clientOf(transport, { measurement: await measuring(true) });
    await expect(client.extendRuntimeMeasurement({ ...EVENT, domain: 'two words' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `${words.extend} (EVENT_TOKEN_MALFORMED)`,
    });
  });

  it('BindInitData, over both transports (A10)', async () => {
    const client = await clientOf(transport);
    await client.bindInitData({ digest: HOST_DATA });
    await expect(client.bindInitData({ digest: new Uint8Array(32) })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: `${words.bind} (INIT_DATA_MISMATCH)`,
    });
  });

  it.each([0, 65])('BindInitData refuses %d bytes', async (length) => {
    const client = await clientOf(transport);
    await expect(client.bindInitData({ digest: new Uint8Array(length) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `${words.bind} (INIT_DATA_DIGEST_SIZE)`,
    });
  });

  it('BindInitData where the TEE has no field for it is not taken for bound', async () => {
    const client = await clientOf(transport, {
      attester: { ...attester, bindInitData: async () => ({ result: 'unsupported', reason: 'no field' }) },
    });
    await expect(client.bindInitData({ digest: HOST_DATA })).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
      message: `${words.bind} (INIT_DATA_BINDING_UNSUPPORTED)`,
    });
  });
});
