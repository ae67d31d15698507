import { randomBytes } from 'node:crypto';
import { sha256 } from '../bytes/byte-strings.ts';
import { fromBase64, toBase64 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { TEES, type Tee } from '../evidence/tee.ts';
import { mintTicket, type OpenTicket, openTicket, TicketError, type TicketKeys } from './ticket.ts';

export type NonceErrorCode = 'NONCE_EXPIRED' | 'NONCE_ALREADY_USED' | 'NONCE_OTHER_TEE';

/** A nonce of ours that does not prove freshness. */
export class NonceError extends CodedError<NonceErrorCode> {}

/** What was spent: its hash, and until when it must be remembered. */
export interface SpentNonce {
  /** SHA-256. */
  readonly hash: Uint8Array;
  readonly expiresAt: Date;
}

export interface NoncesOptions {
  readonly keys: () => TicketKeys;
  readonly lifetimeSeconds: number;
  /** Resolves to whether this call was the first for the nonce, on any replica; durable when it resolves. */
  readonly spendOnce: (nonce: SpentNonce) => Promise<boolean>;
}

/** Nonces for guests: self-proving, expiring, spent once. Nothing is stored when one is issued. */
export interface Nonces {
  /** Base64, 56 characters: within the 88 that an `eat_nonce` may have (RFC 9711, section 4.1). */
  issue(tee: Tee, at: Date): string;
  /**
   * Spends a nonce of ours for evidence of these TEEs; `foreign` when it is not one of ours.
   * Throws NonceError NONCE_EXPIRED, NONCE_OTHER_TEE, NONCE_ALREADY_USED.
   */
  spend(nonce: string, tees: readonly Tee[], at: Date): Promise<'spent' | 'foreign'>;
}

const PURPOSE = 'nonce';
const RANDOM_BYTES = 18;

export function createNonces({ keys, lifetimeSeconds, spendOnce }: NoncesOptions): Nonces {
  return {
    issue(tee, at) {
      const payload = new Uint8Array(1 + RANDOM_BYTES);
      payload[0] = TEES.indexOf(tee);
      payload.set(randomBytes(RANDOM_BYTES), 1);
      return toBase64(mintTicket(keys(), PURPOSE, payload, new Date(at.getTime() + lifetimeSeconds * 1000)));
    },
    async spend(nonce, tees, at) {
      const ticket = openOurs(keys(), nonce, at);
      if (ticket === undefined) return 'foreign';
      const issuedFor = TEES[ticket.payload[0] ?? TEES.length];
      if (issuedFor === undefined || !tees.includes(issuedFor)) {
        throw new NonceError(
          'NONCE_OTHER_TEE',
          `expected a nonce issued for ${tees.join(' or ')}, got one for ${issuedFor ?? 'another TEE'}`,
        );
      }
      if (!(await spendOnce({ hash: sha256(nonce), expiresAt: ticket.expiresAt }))) {
        throw new NonceError(
          'NONCE_ALREADY_USED',
          'expected a nonce that was not used yet; ask for a new one',
        );
      }
      return 'spent';
    },
  };
}

function openOurs(keys: TicketKeys, nonce: string, at: Date): OpenTicket | undefined {
  try {
    return openTicket(keys, PURPOSE, fromBase64(nonce), at);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    if (!(error instanceof TicketError)) throw error;
    if (error.code === 'TICKET_FORGED') return undefined;
    throw new NonceError('NONCE_EXPIRED', `${error.message}; ask for a new nonce`, { cause: error });
  }
}
