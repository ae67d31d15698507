import { z } from 'zod';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import type { AttemptOptions } from '../../http/attempts.ts';
import { serverAt } from '../../http/endpoint.ts';
import type { EndpointTrust } from '../../http/endpoint-trust.ts';
import type { Server } from '../../http/server.ts';
import { type CredentialFolder, malformed } from './credential-folder.ts';

/** What every driver is given. */
export interface KmsContext {
  readonly credentials: CredentialFolder;
  readonly clock: () => Date;
  /** In the header of requests. */
  readonly userAgent: string;
  readonly attempts?: AttemptOptions | undefined;
}

/** Members of a credential file that say which servers may be the service: nobody else is shown the credential. */
export const trustMembers = {
  ca: z.string().optional(),
  ca_mode: z.enum(['add', 'only']).default('add'),
  pins: z.array(z.string()).min(1).optional(),
};
export type TrustMembers = z.output<z.ZodObject<typeof trustMembers>>;

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The server of an address that a credential file has. Addresses come from there and from the configuration, never from a
 * secret: it would choose who is shown the credential. By https, since what comes back are keys and secrets in the clear.
 * Throws KmsError CREDENTIALS_MALFORMED.
 */
export function serverOf(
  { userAgent }: KmsContext,
  url: string,
  trust: Partial<TrustMembers>,
  where: { readonly provider: string; readonly file: string },
): Server {
  const address = URL.parse(url);
  if (address?.protocol !== 'https:' && !(address?.protocol === 'http:' && LOOPBACK.has(address.hostname))) {
    throw malformed(where.provider, where.file, 'an https address');
  }
  try {
    return serverAt({ url, trust: endpointTrust(trust) }, userAgent);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed(where.provider, where.file, `an address and its trust (${cause.code})`, cause);
  }
}

function endpointTrust({ ca, ca_mode: mode = 'add', pins }: Partial<TrustMembers>): EndpointTrust {
  return { ...(ca !== undefined && { ca: { mode, pem: ca } }), ...(pins !== undefined && { pins }) };
}
