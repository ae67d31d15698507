import { toUtf8 } from '../../server/bytes/encoding.ts';
import { jsonText } from '../../server/json/json-text.ts';
import { AttestationAgentService, RuntimeMeasurementResult } from '../rpc/gen/attestation_agent_pb.ts';
import { implementService, type RpcService } from '../rpc/service.ts';
import { toCallFailure } from './agent-failure.ts';
import type { MeasurementResult, RuntimeMeasurement } from './event-log/runtime-measurement.ts';
import { type EvidenceProvider, evidenceFor } from './evidence-provider.ts';
import type { TokenService } from './tokens/token-service.ts';

/** What an attestation agent can do for the guest, whoever asks and however. */
export interface AttestationAgent {
  readonly provider: EvidenceProvider;
  readonly tokens: Pick<TokenService, 'getToken'>;
  readonly measurement: Pick<RuntimeMeasurement, 'extend'>;
  /** Throws InitDataBindingError, InitDataError, and what the attester throws. */
  readonly bindInitData: (digest: Uint8Array) => Promise<void>;
}

const ttrpcBriefs = {
  getToken: 'AA-KBC get token failed',
  getEvidence: 'AA-KBC get evidence failed',
  getAdditionalEvidence: 'AA-KBC get evidence failed',
  extendRuntimeMeasurement: 'AA extend runtime measurement failed',
  bindInitData: 'AA binding init data failed', // upstream offers it over gRPC only
  getTeeType: 'AA-KBC get tee type failed',
  getAdditionalTees: 'AA-KBC get tee type failed',
};
const grpcBriefs: typeof ttrpcBriefs = {
  getToken: 'AA get token failed',
  getEvidence: 'AA get evidence failed',
  getAdditionalEvidence: 'AA get additional evidence failed',
  extendRuntimeMeasurement: 'AA extend runtime measurement failed',
  bindInitData: 'AA binding init data failed',
  getTeeType: 'AA get tee type failed',
  getAdditionalTees: 'AA get additional tees failed',
};
/** What upstream's agent says of a failed call, by its transport; callers have been seen to look for these words. */
const BRIEFS = { ttrpc: ttrpcBriefs, grpc: grpcBriefs } as const;
const PREFIX = '[ERROR:attestation-agent] ';

const RESULTS: Readonly<Record<MeasurementResult, RuntimeMeasurementResult>> = {
  ok: RuntimeMeasurementResult.OK,
  'not-supported': RuntimeMeasurementResult.NOT_SUPPORTED,
  'not-enabled': RuntimeMeasurementResult.NOT_ENABLED,
};

/** Upstream's AttestationAgentService. Every method is there over both transports; only the words differ. */
export function attestationAgentService(agent: AttestationAgent, transport: keyof typeof BRIEFS): RpcService {
  const saying = async <T>(method: keyof typeof ttrpcBriefs, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toCallFailure(PREFIX + BRIEFS[transport][method], error);
    }
  };
  const { provider } = agent;
  return implementService(AttestationAgentService, {
    getEvidence: async ({ runtimeData }) =>
      await saying('getEvidence', async () => ({
        evidence: toUtf8(jsonText(await evidenceFor(provider, runtimeData))),
      })),
    getAdditionalEvidence: async ({ runtimeData }) =>
      await saying('getAdditionalEvidence', async () => ({
        evidence: await additionalEvidence(provider, runtimeData),
      })),
    getToken: async ({ tokenType }) =>
      await saying('getToken', async () => ({ token: toUtf8(await agent.tokens.getToken(tokenType)) })),
    extendRuntimeMeasurement: async ({ domain, operation, content, registerIndex }) =>
      await saying('extendRuntimeMeasurement', async () => {
        // Beyond 2^53 it is inexact, and no register either way.
        const pcr = registerIndex === undefined ? undefined : Number(registerIndex);
        const event = { domain, operation, content, registerIndex: pcr };
        return { result: RESULTS[await agent.measurement.extend(event)] };
      }),
    bindInitData: async ({ digest }) =>
      await saying('bindInitData', async () => {
        await agent.bindInitData(digest);
        return {};
      }),
    getTeeType: async () => ({ tee: provider.tee }),
    getAdditionalTees: async () => ({ additionalTees: provider.devices.map(({ tee }) => tee) }),
  });
}

/** One after the other, as drivers expect it. Empty, and not an empty object, where there is no device. */
export async function additionalEvidence(
  { devices }: Pick<EvidenceProvider, 'devices'>,
  reportData: Uint8Array,
): Promise<Uint8Array> {
  if (devices.length === 0) return new Uint8Array();
  const evidence: Record<string, unknown> = {};
  for (const device of devices) evidence[device.tee] = await evidenceFor(device, reportData);
  return toUtf8(jsonText(evidence));
}
