import type { Command } from 'commander';
import { z } from 'zod';
import { fromUtf8 } from '../../server/bytes/encoding.ts';
import { jsonText } from '../../server/json/json-text.ts';
import { evidenceFor } from '../attestation-agent/evidence-provider.ts';
import type { OpenedAgent } from '../attestation-agent/open-agent.ts';
import { additionalEvidence } from '../attestation-agent/service.ts';
import type { Config } from '../config/config-schema.ts';
import type { ObtainCredentials } from '../kbs-client/credentials.ts';
import { parseTcpAddress, parseUnixAddress } from '../rpc/address.ts';
import type { RpcTransport } from '../rpc/client.ts';
import type { CommandIo } from './command-io.ts';
import { configFrom } from './config-flags.ts';

/** An attestation agent, in this process or behind a socket. */
export interface AgentAccess {
  /** The JSON text of the TEE's evidence. */
  readonly evidence: (runtimeData: Uint8Array) => Promise<string>;
  /** That of the devices; empty where there is none. */
  readonly additionalEvidence: (runtimeData: Uint8Array) => Promise<string>;
  readonly token: (type: string) => Promise<string>;
  readonly obtainFor: (host: string, config: Config) => Promise<ObtainCredentials>;
  readonly tees: () => Promise<{ readonly tee: string; readonly devices: readonly string[] }>;
}

/** Longer than an agent takes by itself. */
const TIMEOUT_MILLISECONDS = 60_000;
const flagsSchema = z.object({ socket: z.string().optional() });

/** `--socket` asks a running agent instead of being one. */
export function addSocketFlag(command: Command): Command {
  return command.option(
    '--socket <address>',
    'ask the agent there: unix://… over ttrpc, host:port over gRPC',
  );
}

export function socketIn(flags: unknown): string | undefined {
  return flagsSchema.parse(flags).socket;
}

/** Throws ConfigError, RpcError, and what openAgent throws. */
export async function withAgent<T>(
  flags: unknown,
  io: CommandIo,
  work: (agent: AgentAccess) => Promise<T>,
): Promise<T> {
  const socket = socketIn(flags);
  if (socket === undefined) return await work(await openHere(flags, io));
  const transport = await connectTo(socket);
  try {
    return await work(await overTransport(transport, io));
  } finally {
    transport.close();
  }
}

async function openHere(flags: unknown, io: CommandIo): Promise<AgentAccess> {
  const config = await configFrom(flags, io);
  const { openAgent } = await import('../attestation-agent/open-agent.ts');
  const agent: OpenedAgent = await openAgent({
    ...io,
    config,
    userAgent: `verigo-aa/${io.version}`,
    warn: (message) => {
      io.writeStderr(`warning: ${message}\n`);
    },
    measures: false,
  });
  return {
    evidence: async (runtimeData) => jsonText(await evidenceFor(agent.provider, runtimeData)),
    additionalEvidence: async (runtimeData) =>
      fromUtf8(await additionalEvidence(agent.provider, runtimeData)),
    token: async (type) => await agent.tokens.getToken(type),
    obtainFor: async (host) => agent.tokens.credentialsFor(host),
    tees: async () => ({
      tee: agent.provider.tee,
      devices: agent.provider.devices.map(({ tee }) => tee),
    }),
  };
}

async function connectTo(socket: string): Promise<RpcTransport> {
  if (socket.startsWith('unix:')) {
    const { createTtrpcTransport } = await import('../rpc/ttrpc/ttrpc-transport.ts');
    return createTtrpcTransport(parseUnixAddress(socket));
  }
  const { createGrpcTransport } = await import('../rpc/grpc-transport.ts');
  return createGrpcTransport(parseTcpAddress(socket));
}

async function overTransport(transport: RpcTransport, { clock }: CommandIo): Promise<AgentAccess> {
  const { createRpcClient } = await import('../rpc/client.ts');
  const { AttestationAgentService } = await import('../rpc/gen/attestation_agent_pb.ts');
  const agent = createRpcClient(AttestationAgentService, transport, TIMEOUT_MILLISECONDS);
  const token = async (tokenType: string): Promise<string> =>
    fromUtf8((await agent.getToken({ tokenType })).token);
  return {
    evidence: async (runtimeData) => fromUtf8((await agent.getEvidence({ runtimeData })).evidence),
    additionalEvidence: async (runtimeData) =>
      fromUtf8((await agent.getAdditionalEvidence({ runtimeData })).evidence),
    token,
    async obtainFor(host, { deadlines }) {
      const { bearerCredentials } = await import('../kbs-client/credentials.ts');
      const { createAgentTokens } = await import('../kbs-client/agent-tokens.ts');
      const tokens = createAgentTokens({
        askAgent: token,
        tokenType: host === '' ? 'kbs' : `kbs:${host}`,
        saysWhatWasRefused: true,
        clock,
        lifetime: {
          renewBeforeSeconds: deadlines.renew_before_seconds,
          skewSeconds: deadlines.clock_skew_seconds,
        },
      });
      return bearerCredentials(tokens);
    },
    async tees() {
      const { tee } = await agent.getTeeType({});
      const { additionalTees: devices } = await agent.getAdditionalTees({});
      return { tee, devices };
    },
  };
}
