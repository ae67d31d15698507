import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoleContext } from '../../agent/role.ts';
import { parseUnixAddress, type UnixAddress } from '../../agent/rpc/address.ts';
import { createRpcClient, type RpcClient } from '../../agent/rpc/client.ts';
import { GetResourceService, SealedSecretService } from '../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { KeyProviderService } from '../../agent/rpc/gen/keyprovider_pb.ts';
import { createTtrpcTransport } from '../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { systemClock } from '../../server/clock.ts';

/** A folder for sockets, files and credentials, and what has to be closed with it. */
export interface GuestPlace {
  readonly folder: string;
  address(name: string): UnixAddress;
  uri(name: string): string;
  readonly context: RoleContext;
  /** What the roles have logged. */
  readonly log: { readonly warnings: string[]; readonly failures: { path: string; error: unknown }[] };
  defer(close: () => Promise<void> | void): void;
  close(): Promise<void>;
}

export async function createGuestPlace(): Promise<GuestPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'guest-'));
  const opened = new AsyncDisposableStack();
  opened.defer(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const log: GuestPlace['log'] = { warnings: [], failures: [] };
  const uri = (name: string): string => `unix://${folder}/${name}.sock`;
  return {
    folder,
    uri,
    address: (name) => parseUnixAddress(uri(name)),
    log,
    context: {
      clock: systemClock,
      log: {
        warn: (message) => log.warnings.push(message),
        failure: (path, error) => log.failures.push({ path, error }),
      },
    },
    defer: (close) => {
      opened.defer(close);
    },
    close: async () => {
      await opened.disposeAsync();
    },
  };
}

export interface HubClient {
  readonly resources: RpcClient<typeof GetResourceService>;
  readonly secrets: RpcClient<typeof SealedSecretService>;
  readonly keys: RpcClient<typeof KeyProviderService>;
}

export function connectHub(place: GuestPlace, address: UnixAddress): HubClient {
  const transport = createTtrpcTransport(address);
  place.defer(() => {
    transport.close();
  });
  return {
    resources: createRpcClient(GetResourceService, transport, 20_000),
    secrets: createRpcClient(SealedSecretService, transport, 20_000),
    keys: createRpcClient(KeyProviderService, transport, 20_000),
  };
}
