import { CodedError } from '../../server/errors/coded-error.ts';

/** An address, from the configuration or the command line, at which RPCs cannot be served. */
export class AddressError extends CodedError<
  'ADDRESS_MALFORMED' | 'ADDRESS_NOT_LOOPBACK' | 'ADDRESS_UNAVAILABLE'
> {}

/** Where ttrpc is spoken, in the form that `net.connect` takes. */
export interface UnixAddress {
  /** A path, or for an abstract name a NUL and the name. */
  readonly path: string;
  readonly isAbstract: boolean;
}

export interface TcpAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

const UNIX_SCHEME = 'unix://';
/** sockaddr_un.sun_path holds 108 bytes, of which a path needs the last for its NUL (unix(7)). */
const MAX_PATH_BYTES = 107;
const TCP = /^(?:\[(?<v6>[0-9A-Fa-f:.]{2,45})\]|(?<name>[A-Za-z0-9.-]{1,253})):(?<port>\d{1,5})$/;
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/**
 * Reads `unix:///path` or, for a name in Linux' abstract namespace, `unix://@name`. Throws AddressError
 * ADDRESS_MALFORMED.
 */
export function parseUnixAddress(text: string): UnixAddress {
  if (!text.startsWith(UNIX_SCHEME)) throw malformed('an address that starts with unix://');
  const name = text.slice(UNIX_SCHEME.length);
  const isAbstract = name.startsWith('@');
  if (!isAbstract && !name.startsWith('/')) throw malformed('an absolute path or @name after unix://');
  if (name.length < 2 || name.endsWith('/') || name.includes('\0')) {
    throw malformed('the name of a socket after unix://');
  }
  const bytes = new TextEncoder().encode(name).byteLength;
  if (bytes > MAX_PATH_BYTES) {
    throw malformed(`at most ${MAX_PATH_BYTES} bytes after unix://`, `${bytes}`);
  }
  return { path: isAbstract ? `\0${name.slice(1)}` : name, isAbstract };
}

/** Reads `host:port`, `[ipv6]:port`. Throws AddressError ADDRESS_MALFORMED. */
export function parseTcpAddress(text: string): TcpAddress {
  const groups = TCP.exec(text)?.groups;
  const host = groups?.['v6'] ?? groups?.['name'];
  const port = Number(groups?.['port']);
  if (host === undefined || !(port <= 0xffff)) throw malformed('host:port with a port up to 65535');
  return { host, port };
}

/** What is said there does not leave the machine. */
export function isLoopback(address: TcpAddress): boolean {
  return LOOPBACK.test(address.host);
}

function malformed(expected: string, got = 'another form'): AddressError {
  return new AddressError('ADDRESS_MALFORMED', `expected ${expected}, got ${got}`);
}
