import { z } from 'zod';
import { bytesEqual, sha256 } from '../bytes/byte-strings.ts';
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import type { Json } from '../claims/claims.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { isTee, TEES, type Tee } from '../evidence/tee.ts';
import { parseJson } from '../json/strict-json.ts';
import type { HandshakeChallenge, HandshakeRequest } from '../protocol/handshake.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { KbsError } from './kbs-error.ts';
import { assertProtocolVersion } from './protocol-version.ts';
import type { SessionCookie } from './session-cookie.ts';

export interface HandshakeDependencies {
  /** The attestation service's challenge; `teeParams` is the JSON text of what the TEE says it needs. */
  readonly challenge: (tee: Tee, teeParams: string, at: Date) => string | Promise<string>;
  /** Makes a ticket that proves by itself that it is ours and until when: nothing is written for a stranger. */
  readonly issueHandshake: (payload: Uint8Array, expiresAt: Date) => string;
  readonly lifetimeSeconds: number;
}

/** The digest that binds runtime data into evidence. */
export type BindingHash = 'sha384' | 'sha512';

/** What the ticket remembers of a handshake. */
export interface Handshake {
  readonly tee: Tee;
  readonly nonceSha256: Uint8Array;
  readonly hashAlgorithm: BindingHash;
}

export interface BegunHandshake {
  readonly challenge: HandshakeChallenge;
  readonly cookie: SessionCookie;
  readonly expiresAt: Date;
}

export type BeginHandshake = (request: HandshakeRequest, at: Date) => Promise<BegunHandshake>;

/** Where the handshakes of other versions are stopped, and every other one gets its challenge. Throws KbsError. */
export function createBeginHandshake(dependencies: HandshakeDependencies): BeginHandshake {
  return async (request, at) => {
    assertProtocolVersion(request.version);
    const tee = parseTee(request.tee);
    const extraParams = request['extra-params'];
    const selected = selectHashAlgorithm(tee, extraParams);
    const nonce = await dependencies.challenge(tee, JSON.stringify(extraParams), at);
    const expiresAt = new Date(at.getTime() + dependencies.lifetimeSeconds * 1000);
    const payload = encodeHandshake(tee, nonce);
    return {
      challenge: {
        nonce,
        'extra-params': selected === undefined ? '' : { 'selected-hash-algorithm': selected },
      },
      cookie: { kind: 'handshake', value: dependencies.issueHandshake(payload, expiresAt) },
      expiresAt,
    };
  };
}

const ticketSchema = z.strictObject({ tee: z.enum(TEES), nonce: z.string() });

function encodeHandshake(tee: Tee, nonce: string): Uint8Array {
  return toUtf8(
    JSON.stringify({ tee, nonce: toBase64Url(sha256(nonce)) } satisfies z.input<typeof ticketSchema>),
  );
}

/**
 * Opens the ticket of a handshake with `openTicket`, which proves that it is ours and still valid.
 * Throws KbsError HANDSHAKE_INVALID.
 */
export function openHandshake(
  ticket: string,
  openTicket: (text: string, at: Date) => Uint8Array,
  at: Date,
): Handshake {
  try {
    const { tee, nonce } = ticketSchema.parse(parseJson(fromUtf8(openTicket(ticket, at))));
    return { tee, nonceSha256: fromBase64Url(nonce), hashAlgorithm: bindingHash(tee) };
  } catch (cause) {
    if (cause instanceof CouldNotCheckError || !(cause instanceof CodedError)) throw cause;
    throw new KbsError(
      'HANDSHAKE_INVALID',
      'expected the cookie of a handshake that this server began and that has not expired: begin again with /kbs/v0/auth',
      { cause },
    );
  }
}

/** Throws KbsError NONCE_MISMATCH unless the nonce is, byte for byte, the one of the handshake's challenge. */
export function assertNonce(nonce: string, handshake: Handshake): void {
  if (bytesEqual(sha256(nonce), handshake.nonceSha256)) return;
  throw new KbsError('NONCE_MISMATCH', "expected the nonce of this handshake's challenge, got another");
}

function parseTee(name: string): Tee {
  if (isTee(name)) return name;
  throw new KbsError(
    'TEE_UNKNOWN',
    `expected the name of a TEE, got '${name.replaceAll(/[^\x20-\x7e]/g, '?')}'`,
  );
}

/** IBM Secure Execution binds with SHA-512; every other TEE's clients with SHA-384, which they take unless told. */
function bindingHash(tee: Tee): BindingHash {
  return tee === 'se' ? 'sha512' : 'sha384';
}

/** Upstream's rule: only Secure Execution negotiates, and only when the client says what it has. */
function selectHashAlgorithm(tee: Tee, extraParams: Json): BindingHash | undefined {
  if (tee !== 'se') return undefined;
  const offered = isJsonObject(extraParams) ? extraParams['supported-hash-algorithms'] : undefined;
  if (offered === undefined) return undefined;
  const names: readonly Json[] = Array.isArray(offered) ? offered : [];
  if (names.some((name) => typeof name === 'string' && name.toLowerCase() === 'sha512')) return 'sha512';
  throw new KbsError(
    'HASH_ALGORITHM_NOT_OFFERED',
    "expected 'supported-hash-algorithms' to be a list with sha512, got one without",
  );
}
