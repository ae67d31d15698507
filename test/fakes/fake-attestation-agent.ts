import type { UnixAddress } from '../../agent/rpc/address.ts';
import {
  AttestationAgentService,
  RuntimeMeasurementResult,
} from '../../agent/rpc/gen/attestation_agent_pb.ts';
import type { RpcError } from '../../agent/rpc/rpc-error.ts';
import { implementService } from '../../agent/rpc/service.ts';
import { startTtrpcServer } from '../../agent/rpc/ttrpc/ttrpc-server.ts';

/** What the agent answers; a test changes it as it goes. */
export interface FakeAgentState {
  getToken: (tokenType: string) => Promise<string>;
  /** Of runtime measurement. */
  result: RuntimeMeasurementResult;
  /** Instead of every answer. */
  failure: RpcError | undefined;
  readonly seen: unknown[];
}

export interface FakeAttestationAgent {
  readonly state: FakeAgentState;
  close(): Promise<void>;
}

/** An Attestation Agent over ttrpc whose evidence is the data that it is bound to. */
export async function startFakeAttestationAgent(address: UnixAddress): Promise<FakeAttestationAgent> {
  const state: FakeAgentState = {
    getToken: async (type) => `token of ${type}`,
    result: RuntimeMeasurementResult.OK,
    failure: undefined,
    seen: [],
  };
  const seen = <T>(request: T): T => {
    state.seen.push(request);
    if (state.failure !== undefined) throw state.failure;
    return request;
  };
  const service = implementService(AttestationAgentService, {
    getToken: async (request) => ({ token: Buffer.from(await state.getToken(seen(request).tokenType)) }),
    getEvidence: async (request) => ({ evidence: seen(request).runtimeData }),
    getAdditionalEvidence: async (request) => {
      seen(request);
      return { evidence: Buffer.alloc(0) };
    },
    extendRuntimeMeasurement: async (request) => {
      seen(request);
      return { result: state.result };
    },
    bindInitData: 'unimplemented',
    getTeeType: async (request) => {
      seen(request);
      return { tee: 'sample' };
    },
    getAdditionalTees: async () => ({ additionalTees: ['sampledevice'] }),
  });
  const server = await startTtrpcServer({ address, services: [service], log: () => undefined });
  return {
    state,
    close: async () => {
      await server.close(0);
    },
  };
}
