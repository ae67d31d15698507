import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { sealedResourceSchema } from '../../server/protocol/sealed-resource.ts';
import { ClientError } from '../client-error.ts';
import { type AttemptOptions, USUAL_ATTEMPTS, withAttempts } from '../http/attempts.ts';
import { startDeadline } from '../http/deadline.ts';
import type { HttpReply } from '../http/exchange.ts';
import { ask, refusalOf, type Server } from '../http/server.ts';
import { type ResourceUri, resourceTarget } from '../resource-uri.ts';
import { openSealed } from '../tee-key/open-sealed.ts';
import type { TeeKey } from '../tee-key/tee-key.ts';
import { utf8Text } from '../text-encoding.ts';
import type { Credentials, ObtainCredentials } from './credentials.ts';
import { resourceRefusal } from './kbs-refusal.ts';

export interface ResourceOptions {
  readonly server: Server;
  readonly obtain: ObtainCredentials;
  readonly attempts?: AttemptOptions | undefined;
}

/** A resource of 8 MiB, sealed and in base64url, and its envelope. */
const MAX_SEALED_BYTES = 12 << 20;
const JSON_TYPE = /^application\/(?:[a-z0-9.-]+\+)?json\b/i;

/**
 * Fetches a resource and opens it. When the broker does not take the credentials, they are renewed once; what it
 * refuses otherwise stays refused. One deadline holds for all of it. Throws ClientError; TeeKeyError when what came is
 * not sealed to our key; what `obtain` throws.
 */
export async function fetchResource(uri: ResourceUri, options: ResourceOptions): Promise<Uint8Array> {
  const { server, obtain, attempts = USUAL_ATTEMPTS } = options;
  const deadline = startDeadline(attempts.deadlineMilliseconds);
  const get = async (credentials: Credentials): Promise<Uint8Array> =>
    await withAttempts(async (signal) => await getOnce(uri, server, credentials, signal), attempts, deadline);
  const credentials = await deadline.race(obtain());
  try {
    return await get(credentials);
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'UNAUTHENTICATED') throw error;
    return await get(await deadline.race(obtain(credentials)));
  }
}

/** One request with these credentials, neither renewed nor tried again. Throws ClientError, TeeKeyError. */
export async function getOnce(
  uri: ResourceUri,
  server: Server,
  { headers, key }: Credentials,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const path = `/kbs/v0/${resourceTarget(uri)}`;
  const reply = await ask(server, { path, headers, maxReplyBytes: MAX_SEALED_BYTES, signal });
  if (reply.status !== 200) throw resourceRefusal(server, refusalOf(reply));
  return await openReply(reply, uri, key);
}

/**
 * Sealed content is JSON. Plugins may also answer in plain, as upstream's do with `text/xml`; the plugin for resources
 * never does: what it holds is secret, so a plain reply is not its.
 */
async function openReply(reply: HttpReply, { plugin }: ResourceUri, key: TeeKey): Promise<Uint8Array> {
  const isJson = JSON_TYPE.test(reply.header('content-type') ?? '');
  const sealed = isJson ? sealedResourceSchema.safeParse(documentOf(reply.bytes)) : undefined;
  if (sealed?.success === true) return await openSealed(sealed.data, key);
  if (plugin !== 'resource') return reply.bytes;
  throw new ClientError(
    'RESOURCE_NOT_SEALED',
    'expected a resource sealed to our key (JWE), got something else',
  );
}

function documentOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(utf8Text(bytes));
  } catch (error) {
    if (isCodedError(error)) return undefined;
    throw error;
  }
}
