import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseUnixAddress, type UnixAddress } from '../../agent/rpc/address.ts';
import { GetResourceService } from '../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { RpcError } from '../../agent/rpc/rpc-error.ts';
import { type CallContext, implementService, type RpcService } from '../../agent/rpc/service.ts';

export const RESOURCE_SERVICE = GetResourceService.typeName;

/** What a service of the tests has seen. */
export interface Seen {
  readonly contexts: CallContext[];
  readonly log: { path: string; error: unknown }[];
}

/**
 * A resource service that does what the path says: `size N` answers as many bytes, `wait MS` waits before it answers,
 * `hang` waits until it is aborted, `ignore` waits for ever, `refuse` is denied, `break` fails with a secret.
 */
export function resourceService(seen: Seen): RpcService {
  return implementService(GetResourceService, {
    async getResource({ resourcePath }, context) {
      seen.contexts.push(context);
      const [verb = '', number] = resourcePath.split(' ');
      switch (verb) {
        case 'size':
          return { resource: Buffer.alloc(Number(number), 7) };
        case 'wait':
          await delay(Number(number), undefined, { signal: context.signal });
          return { resource: Buffer.from(number ?? '') };
        case 'hang':
          return await untilAborted(context.signal);
        case 'ignore':
          return await new Promise<never>(() => undefined);
        case 'refuse':
          throw new RpcError('PERMISSION_DENIED', 'not for you', { cause: new Error('s3cret rule') });
        default:
          throw new Error('s3cret failure');
      }
    },
  });
}

export function nothingSeen(): Seen {
  return { contexts: [], log: [] };
}

/** A place for sockets, short enough for sun_path, and what removes it. */
export async function socketFolder(): Promise<{
  folder: string;
  address: UnixAddress;
  remove: () => Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'rpc-'));
  return {
    folder,
    address: parseUnixAddress(`unix://${folder}/run/service.sock`),
    remove: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}
