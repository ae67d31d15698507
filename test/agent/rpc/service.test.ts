import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRpcClient, type RpcTransport } from '../../../agent/rpc/client.ts';
import {
  AttestationAgentService,
  ExtendRuntimeMeasurementRequestSchema,
  RuntimeMeasurementResult,
} from '../../../agent/rpc/gen/attestation_agent_pb.ts';
import {
  GetResourceService,
  ImagePullService,
  SealedSecretService,
  SecureMountRequestSchema,
  SecureMountService,
} from '../../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { KeyProviderService } from '../../../agent/rpc/gen/keyprovider_pb.ts';
import { startGrpcServer } from '../../../agent/rpc/grpc-server.ts';
import { createGrpcTransport } from '../../../agent/rpc/grpc-transport.ts';
import { RpcError } from '../../../agent/rpc/rpc-error.ts';
import { type Handlers, implementService, type RpcService } from '../../../agent/rpc/service.ts';
import { startTtrpcServer } from '../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { socketFolder } from '../../harness/resource-service.ts';

const digests: Uint8Array[] = [];

/** Every method says what it was given. */
const attestationAgent: Handlers<typeof AttestationAgentService> = {
  getEvidence: async ({ runtimeData }) => ({ evidence: runtimeData }),
  getAdditionalEvidence: async () => ({}),
  async getToken({ tokenType }) {
    if (tokenType !== 'kbs') {
      throw new RpcError('INVALID_ARGUMENT', '[ERROR:attestation-agent] AA-KBC get token failed');
    }
    return { token: Buffer.from(tokenType) };
  },
  extendRuntimeMeasurement: async ({ registerIndex }) => ({
    result: registerIndex === undefined ? RuntimeMeasurementResult.NOT_ENABLED : RuntimeMeasurementResult.OK,
  }),
  async bindInitData({ digest }) {
    digests.push(digest);
    return {};
  },
  getTeeType: async () => ({ tee: 'snp' }),
  getAdditionalTees: async () => ({ additionalTees: ['nvidia', 'sampledevice'] }),
};

const services: readonly RpcService[] = [
  implementService(AttestationAgentService, attestationAgent),
  implementService(SealedSecretService, { unsealSecret: async ({ secret }) => ({ plaintext: secret }) }),
  implementService(GetResourceService, {
    getResource: async ({ resourcePath }) => ({ resource: Buffer.from(resourcePath) }),
  }),
  implementService(SecureMountService, {
    async secureMount(request) {
      expect(request).toMatchObject({
        volumeType: 'block-device',
        options: { a: '1', b: '2' },
        flags: ['ro'],
        mountPoint: '/mnt',
      });
      return {};
    },
  }),
  implementService(ImagePullService, { pullImage: async ({ imageUrl }) => ({ manifestDigest: imageUrl }) }),
  implementService(KeyProviderService, {
    wrapKey: 'unimplemented',
    unWrapKey: async (request) => ({
      keyProviderKeyWrapProtocolOutput: request.keyProviderKeyWrapProtocolInput,
    }),
  }),
];

const log = (_path: string, error: unknown): void => {
  throw error;
};

const transports = {
  async ttrpc() {
    const { address, remove } = await socketFolder();
    const server = await startTtrpcServer({ address, services, log });
    const stop = async (): Promise<void> => {
      await server.close(0);
      await remove();
    };
    return { transport: createTtrpcTransport(address), stop };
  },
  async grpc() {
    const server = await startGrpcServer({ address: { host: '127.0.0.1', port: 0 }, services, log });
    const stop = async (): Promise<void> => {
      await server.close(0);
    };
    return { transport: createGrpcTransport({ host: '127.0.0.1', port: server.port }), stop };
  },
};

describe.each([
  ['ttrpc', 'NOT_FOUND'],
  ['grpc', 'UNIMPLEMENTED'],
] as const)('the services over %s', (name, unimplemented) => {
  let transport: RpcTransport;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    ({ transport, stop } = await transports[name]());
  });

  afterEach(async () => {
    transport.close();
    await stop();
  });

  it('answer all seven methods of the Attestation Agent, BindInitData among them (A10)', async () => {
    const agent = createRpcClient(AttestationAgentService, transport, 5_000);
    const runtimeData = Uint8Array.of(1, 2, 3);

    expect(await agent.getEvidence({ runtimeData })).toMatchObject({ evidence: runtimeData });
    expect((await agent.getAdditionalEvidence({ runtimeData })).evidence).toHaveLength(0);
    expect(Buffer.from((await agent.getToken({ tokenType: 'kbs' })).token).toString()).toBe('kbs');
    expect(await agent.extendRuntimeMeasurement({ registerIndex: 0n })).toMatchObject({ result: 0 });
    expect(await agent.extendRuntimeMeasurement({})).toMatchObject({ result: 2 });
    await agent.bindInitData({ digest: runtimeData });
    expect(digests.at(-1)).toEqual(runtimeData);
    expect(await agent.getTeeType({})).toMatchObject({ tee: 'snp' });
    expect((await agent.getAdditionalTees({})).additionalTees).toEqual(['nvidia', 'sampledevice']);
  });

  it('fail with distinct codes, not all with INTERNAL (A11)', async () => {
    const agent = createRpcClient(AttestationAgentService, transport, 5_000);

    await expect(agent.getToken({ tokenType: 'other' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: '[ERROR:attestation-agent] AA-KBC get token failed',
    });
  });

  it('answer the five services of the Confidential Data Hub', async () => {
    const bytes = Uint8Array.of(9, 8);

    expect(
      await createRpcClient(SealedSecretService, transport, 5_000).unsealSecret({ secret: bytes }),
    ).toMatchObject({ plaintext: bytes });
    expect(
      (
        await createRpcClient(GetResourceService, transport, 5_000).getResource({
          resourcePath: 'kbs:///a/b/c',
        })
      ).resource,
    ).toHaveLength(12);
    await createRpcClient(SecureMountService, transport, 5_000).secureMount({
      volumeType: 'block-device',
      options: { a: '1', b: '2' },
      flags: ['ro'],
      mountPoint: '/mnt',
    });
    expect(
      await createRpcClient(ImagePullService, transport, 5_000).pullImage({ imageUrl: 'busybox' }),
    ).toMatchObject({ manifestDigest: 'busybox' });
    expect(
      await createRpcClient(KeyProviderService, transport, 5_000).unWrapKey({
        keyProviderKeyWrapProtocolInput: bytes,
      }),
    ).toMatchObject({ keyProviderKeyWrapProtocolOutput: bytes });
  });

  it(`say ${unimplemented} to a method that is not implemented`, async () => {
    await expect(createRpcClient(KeyProviderService, transport, 5_000).wrapKey({})).rejects.toMatchObject({
      code: unimplemented,
    });
  });
});

describe('the bytes of a message', () => {
  it('are those of upstream: ExtendRuntimeMeasurementRequest', () => {
    const message = { domain: 'd', operation: 'o', content: 'c' };
    const encode = (registerIndex?: bigint): string =>
      Buffer.from(
        toBinary(
          ExtendRuntimeMeasurementRequestSchema,
          create(ExtendRuntimeMeasurementRequestSchema, {
            ...message,
            ...(registerIndex !== undefined && { registerIndex }),
          }),
        ),
      ).toString('hex');

    expect(encode()).toBe('0a016412016f1a0163');
    expect(encode(0n)).toBe('0a016412016f1a01632000'); // optional: 0 is said
    expect(encode(17n)).toBe('0a016412016f1a01632011');
  });

  it('are those of upstream: SecureMountRequest', () => {
    const bytes = toBinary(
      SecureMountRequestSchema,
      create(SecureMountRequestSchema, {
        volumeType: 'v',
        options: { k: 'w' },
        flags: ['f'],
        mountPoint: 'm',
      }),
    );

    expect(Buffer.from(bytes).toString('hex')).toBe('0a01761206' + '0a016b120177' + '1a0166' + '22016d');
  });

  it.each([
    [AttestationAgentService, 'attestation_agent.AttestationAgentService', 7],
    [SealedSecretService, 'api.SealedSecretService', 1],
    [GetResourceService, 'api.GetResourceService', 1],
    [SecureMountService, 'api.SecureMountService', 1],
    [ImagePullService, 'api.ImagePullService', 1],
    [KeyProviderService, 'keyprovider.KeyProviderService', 2],
  ])('name of the service: %#', (service, name, methods) => {
    expect(service.typeName).toBe(name);
    expect(service.methods).toHaveLength(methods);
  });
});
