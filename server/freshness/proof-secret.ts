import { createHmac } from 'node:crypto';
import { toUtf8 } from '../bytes/encoding.ts';
import type { TicketKeys } from './ticket.ts';

/**
 * Secrets that we can make again from what they are about, so that nothing has to be stored: HMAC-SHA-256 of the purpose and
 * the content, 32 bytes, under each of our keys. The newest key's is the one to give out; all of them are accepted.
 */
export function proofSecrets(
  keys: TicketKeys,
  purpose: string,
  content: Uint8Array,
): readonly [Uint8Array, ...Uint8Array[]] {
  const [newest, ...others] = keys;
  const secretOf = (key: typeof newest): Uint8Array =>
    createHmac('sha256', key)
      .update(toUtf8(`${purpose}\0`))
      .update(content)
      .digest();
  return [secretOf(newest), ...others.map(secretOf)];
}
