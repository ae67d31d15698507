import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { bytesEqual, sha256 } from '../../server/bytes/byte-strings.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { RestError } from './rest-error.ts';

/** Peers, from the configuration, that cannot be let in. */
export class PeerRangeError extends CodedError<'PEER_RANGE_MALFORMED' | 'PEERS_WITHOUT_ACCESS_TOKEN'> {}

export interface GuardOptions {
  /** Whether who is connected may ask. */
  readonly isPeerAllowed: (address: string | undefined) => boolean;
  /** Names beside those of loopback by which this front may be called, without a port. */
  readonly hosts: readonly string[];
  /** Demanded as `Authorization: Bearer`, when there is one. */
  readonly accessToken?: string | undefined;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const HOST = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/;
const ORIGIN = /^https?:\/\//;
const RANGE = /^(?<address>[0-9A-Fa-f:.]{2,45})\/(?<prefix>[0-9]{1,3})$/;

/** Loopback, and ranges such as `10.42.0.0/16`. Throws PeerRangeError PEER_RANGE_MALFORMED. */
export function createPeerCheck(ranges: readonly string[] = []): GuardOptions['isPeerAllowed'] {
  const allowed = new BlockList();
  allowed.addSubnet('127.0.0.0', 8, 'ipv4');
  allowed.addAddress('::1', 'ipv6');
  for (const range of ranges) addRange(allowed, range);
  return (address) => address !== undefined && allowed.check(address, familyOf(address));
}

/**
 * Looks at who asks, before anything else is looked at. The name of the host is looked at since a page in a browser, or
 * whatever else resolves names of others, may be led to this port by a name of its own (DNS rebinding).
 * Throws RestError: PEER_FORBIDDEN, HOST_FORBIDDEN, ORIGIN_FORBIDDEN, ACCESS_TOKEN_REFUSED.
 */
export function createGuard(options: GuardOptions): (request: IncomingMessage) => void {
  const names = new Set([...LOOPBACK_NAMES, ...options.hosts].map((name) => name.toLowerCase()));
  const { accessToken } = options;
  const tokenDigest = accessToken === undefined ? undefined : sha256(accessToken);
  return ({ socket, headers }) => {
    if (!options.isPeerAllowed(socket.remoteAddress)) {
      throw new RestError(
        'PEER_FORBIDDEN',
        'expected a peer on loopback or of a configured range, got another',
      );
    }
    if (!isNamed(headers.host, names)) {
      throw new RestError('HOST_FORBIDDEN', 'expected a host of loopback or a configured one, got another');
    }
    const { origin } = headers;
    if (origin !== undefined && !isNamed(origin.replace(ORIGIN, ''), names)) {
      throw new RestError('ORIGIN_FORBIDDEN', 'expected no origin, or one of loopback, got another');
    }
    if (tokenDigest !== undefined && !isShown(headers.authorization, tokenDigest)) {
      throw new RestError('ACCESS_TOKEN_REFUSED', 'expected the access token, got none or another');
    }
  };
}

function isNamed(host: string | undefined, names: ReadonlySet<string>): boolean {
  const name = HOST.exec(host?.toLowerCase() ?? '')?.groups?.['name'];
  return name !== undefined && names.has(name);
}

/** Digests are compared, so that the time it takes tells nothing of the length either. */
function isShown(authorization: string | undefined, digest: Uint8Array): boolean {
  const shown = /^Bearer (.{1,4096})$/i.exec(authorization ?? '')?.[1];
  return shown !== undefined && bytesEqual(sha256(shown), digest);
}

function addRange(allowed: BlockList, range: string): void {
  const groups = RANGE.exec(range)?.groups;
  const address = groups?.['address'] ?? '';
  try {
    allowed.addSubnet(address, Number(groups?.['prefix']), familyOf(address));
  } catch (cause) {
    throw new PeerRangeError(
      'PEER_RANGE_MALFORMED',
      `expected an address range such as 10.42.0.0/16, got '${range.slice(0, 64)}'`,
      { cause },
    );
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
