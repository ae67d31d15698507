import { KbsError } from './kbs-error.ts';

/** The cookie of the key broker protocol. Its value is a bearer secret: it is never logged or recorded. */
const NAME = 'kbs-session-id';
const MAX_HEADER_LENGTH = 16_384;
const VALUE = /^([hs])\.([A-Za-z0-9._=-]{1,4096})$/;

/**
 * What a cookie stands for. `handshake`: a ticket that proves a challenge of ours, given out by `/auth`.
 * `session`: the id of an attested session, given out by `/attest` in place of the ticket, so that nobody who saw or
 * planted the first cookie has the second.
 */
export interface SessionCookie {
  readonly kind: 'handshake' | 'session';
  readonly value: string;
}

/**
 * Reads the `Cookie` header (RFC 6265, section 4.2). Undefined when there is no cookie of ours, or one with a value that
 * we do not give out. Throws KbsError SESSION_AMBIGUOUS when there are several: one of them may have been planted.
 */
export function readSessionCookie(header: string | undefined): SessionCookie | undefined {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return undefined;
  const values = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${NAME}=`))
    .map((pair) => pair.slice(NAME.length + 1));
  const [value, ...others] = values;
  if (others.length > 0) {
    throw new KbsError('SESSION_AMBIGUOUS', `expected one ${NAME} cookie, got ${values.length}`);
  }
  const [, kind, content] = VALUE.exec(value ?? '') ?? [];
  if (content === undefined) return undefined;
  return { kind: kind === 'h' ? 'handshake' : 'session', value: content };
}

/** The `Set-Cookie` header: for this server's key broker alone, out of reach of scripts and of other sites' requests. */
export function writeSessionCookie(
  { kind, value }: SessionCookie,
  expiresAt: Date,
  { isSecure }: { readonly isSecure: boolean },
): string {
  return [
    `${NAME}=${kind === 'handshake' ? 'h' : 's'}.${value}`,
    `Expires=${expiresAt.toUTCString()}`,
    'Path=/kbs/v0',
    'HttpOnly',
    'SameSite=Strict',
    ...(isSecure ? ['Secure'] : []),
  ].join('; ');
}
