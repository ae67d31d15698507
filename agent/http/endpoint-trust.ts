import { X509Certificate } from 'node:crypto';
import { CodedError } from '../../server/errors/coded-error.ts';

/** Which servers an endpoint may be, beyond what its name says. Configuration: the operator's words. */
export interface EndpointTrust {
  /** Certificates of authorities, PEM. `add`: beside those of the system; `only`: instead of them. */
  readonly ca?: { readonly mode: 'add' | 'only'; readonly pem: string } | undefined;
  /** `sha256/<base64>` of the server's public key (SubjectPublicKeyInfo, DER), as RFC 7469 pins it; one has to match. */
  readonly pins?: readonly string[] | undefined;
}

export type EndpointErrorCode =
  | 'ENDPOINT_URL_INVALID'
  | 'ENDPOINT_TRUST_NEEDS_HTTPS'
  | 'CA_EMPTY'
  | 'CA_MALFORMED'
  | 'PIN_MALFORMED';

/** An endpoint that is configured so that it cannot be used. Found at start, before anything is sent. */
export class EndpointError extends CodedError<EndpointErrorCode> {}

/** An endpoint's trust, read: certificates in PEM, each complete, and digests of keys. */
export interface CheckedTrust {
  readonly authorities: readonly string[];
  readonly isSystemTrusted: boolean;
  /** Base64 of SHA-256; undefined: any key that the authorities vouch for. */
  readonly pinnedKeys: ReadonlySet<string> | undefined;
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,65536}-----END CERTIFICATE-----/g;
const PIN = /^sha256\/\/?([A-Za-z0-9+/]{43}=)$/;
const MAX_AUTHORITIES = 256;

/** Throws EndpointError CA_EMPTY, CA_MALFORMED, PIN_MALFORMED: a list that is there but empty is a mistake, not "any". */
export function checkTrust({ ca, pins }: EndpointTrust): CheckedTrust {
  return {
    authorities: ca === undefined ? [] : parseAuthorities(ca.pem),
    isSystemTrusted: ca?.mode !== 'only',
    pinnedKeys: pins === undefined ? undefined : parsePins(pins),
  };
}

/**
 * The base of an endpoint's paths, without a slash at its end. Plain http is left to the operator: evidence and sealed
 * resources stand for themselves; but a pin or a CA on it would promise what nobody checks. Throws EndpointError.
 */
export function parseEndpointUrl(text: string, trust: EndpointTrust = {}): string {
  const url = URL.parse(text);
  if (url === null || !isPlainAddress(url)) {
    throw new EndpointError(
      'ENDPOINT_URL_INVALID',
      'expected an http or https URL without password, query and fragment',
    );
  }
  if (url.protocol === 'http:' && (trust.ca !== undefined || trust.pins !== undefined)) {
    throw new EndpointError(
      'ENDPOINT_TRUST_NEEDS_HTTPS',
      `expected an https URL beside a CA or pins, got http for ${url.host}`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

function isPlainAddress({ protocol, username, password, search, hash }: URL): boolean {
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}

function parseAuthorities(pem: string): readonly string[] {
  const blocks = pem.match(PEM) ?? [];
  if (pem.trim() === '') throw new EndpointError('CA_EMPTY', 'expected certificates in PEM, got none');
  const begun = pem.split('-----BEGIN ').length - 1;
  if (blocks.length === 0 || blocks.length !== begun || blocks.length > MAX_AUTHORITIES) {
    throw new EndpointError(
      'CA_MALFORMED',
      `expected 1 to ${MAX_AUTHORITIES} complete certificates in PEM and nothing else, got ${blocks.length} of ${begun}`,
    );
  }
  blocks.forEach(assertCertificate);
  return blocks;
}

function assertCertificate(pem: string): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new EndpointError('CA_MALFORMED', 'expected a certificate in PEM, got something else in one', {
      cause,
    });
  }
}

function parsePins(pins: readonly string[]): ReadonlySet<string> {
  const digests = pins.map((pin) => {
    const digest = PIN.exec(pin)?.[1];
    if (digest === undefined) throw pinMalformed("'sha256/' and 44 characters of base64");
    return digest;
  });
  if (digests.length === 0) throw pinMalformed('at least one pin');
  return new Set(digests);
}

function pinMalformed(expected: string): EndpointError {
  return new EndpointError('PIN_MALFORMED', `expected ${expected}, got something else`);
}
