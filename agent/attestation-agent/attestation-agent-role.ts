import type { Config } from '../config/config-schema.ts';
import type { Role, RoleContext, RunningRole } from '../role.ts';
import { parseTcpAddress, parseUnixAddress } from '../rpc/address.ts';
import { startGrpcServer } from '../rpc/grpc-server.ts';
import type { RpcService } from '../rpc/service.ts';
import { startTtrpcServer } from '../rpc/ttrpc/ttrpc-server.ts';
import { type OpenAgentOptions, openAgent } from './open-agent.ts';
import { type AttestationAgent, attestationAgentService } from './service.ts';

export type AttestationAgentRoleOptions = Omit<OpenAgentOptions, 'clock' | 'warn' | 'measures'>;

/** The Attestation Agent as a role: it serves at every address of the configuration. */
export function attestationAgentRole(options: AttestationAgentRoleOptions): Role {
  return { name: 'attestation-agent', start: async (context) => await start(options, context) };
}

/** With the ports that were free, in the order of the gRPC addresses. */
export interface RunningAgent extends RunningRole {
  readonly grpcPorts: readonly number[];
}

/** Throws what openAgent throws; SocketError, AddressError, and what the operating system says of a socket. */
export async function start(
  options: AttestationAgentRoleOptions,
  { clock, log }: RoleContext,
): Promise<RunningAgent> {
  const agent = await openAgent({ ...options, clock, warn: log.warn, measures: true });
  const { sockets } = options.config;
  const open: RunningRole[] = [];
  const grpcPorts: number[] = [];
  const close = async (graceMilliseconds: number): Promise<void> => {
    await Promise.all(
      open.map(async (server) => {
        await server.close(graceMilliseconds);
      }),
    );
  };
  try {
    for (const address of sockets.listen) {
      const server = await listen(address, { agent, sockets, log: log.failure });
      open.push(server);
      if (server.port !== undefined) grpcPorts.push(server.port);
    }
  } catch (error) {
    await close(0);
    throw error;
  }
  return { close, grpcPorts };
}

interface Listening extends RunningRole {
  /** Of TCP. */
  readonly port?: number;
}

async function listen(
  text: string,
  {
    agent,
    sockets,
    log,
  }: {
    readonly agent: AttestationAgent;
    readonly sockets: Config['sockets'];
    readonly log: RoleContext['log']['failure'];
  },
): Promise<Listening> {
  const services = (transport: 'ttrpc' | 'grpc'): readonly RpcService[] => [
    attestationAgentService(agent, transport),
  ];
  if (text.startsWith('unix:')) {
    const address = parseUnixAddress(text);
    const socketMode = Number.parseInt(sockets.mode, 8);
    return await startTtrpcServer({ address, services: services('ttrpc'), log, socketMode });
  }
  return await startGrpcServer({
    address: parseTcpAddress(text),
    services: services('grpc'),
    log,
    dangerouslyServeBeyondLoopback: sockets.dangerously_serve_beyond_loopback,
  });
}
