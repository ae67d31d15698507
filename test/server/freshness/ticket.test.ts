import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mintTicket, openTicket, TicketError } from '../../../server/freshness/ticket.ts';

const at = new Date('2026-06-01T00:00:00Z');
const later = new Date(at.getTime() + 1);
const key = createSecretKey(randomBytes(32));
const older = createSecretKey(randomBytes(32));

describe('tickets', () => {
  it('give back their payload and expiry until that moment', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.date({ min: later, max: new Date('9999-12-31') }),
        (payload, expiresAt) => {
          fc.pre(!Number.isNaN(expiresAt.getTime()));
          const opened = openTicket([key], 'p', mintTicket([key], 'p', payload, expiresAt), at);
          expect([...opened.payload]).toEqual([...payload]);
          expect(opened.expiresAt).toEqual(expiresAt);
        },
      ),
    );
  });

  it('are accepted under an older key', () => {
    const ticket = mintTicket([older], 'p', Uint8Array.of(1), later);
    expect([...openTicket([key, older], 'p', ticket, at).payload]).toEqual([1]);
  });

  const ticket = mintTicket([key], 'p', Uint8Array.of(1, 2, 3), later);
  it.each([
    ['a ticket for another purpose', 'TICKET_FORGED', () => openTicket([key], 'q', ticket, at)],
    [
      'a ticket for a purpose that another begins with',
      'TICKET_FORGED',
      () => openTicket([key], 'p\0', ticket, at),
    ],
    ['a ticket of another server', 'TICKET_FORGED', () => openTicket([older], 'p', ticket, at)],
    ['an empty ticket', 'TICKET_FORGED', () => openTicket([key], 'p', new Uint8Array(), at)],
    [
      'a ticket with a byte more',
      'TICKET_FORGED',
      () => openTicket([key], 'p', Uint8Array.of(...ticket, 0), at),
    ],
    ['a ticket at its expiry', 'TICKET_EXPIRED', () => openTicket([key], 'p', ticket, later)],
  ])('refuses %s', (_what, code, open) => {
    expect(open).toThrow(expect.objectContaining({ code }));
  });

  it('refuses every truncation and every flipped bit', () => {
    for (let length = 0; length < ticket.byteLength; length++) {
      expect(() => openTicket([key], 'p', ticket.subarray(0, length), at)).toThrow(TicketError);
    }
    for (let bit = 0; bit < ticket.byteLength * 8; bit++) {
      const forged = Uint8Array.from(ticket);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => openTicket([key], 'p', forged, at)).toThrow(
        expect.objectContaining({ code: 'TICKET_FORGED' }),
      );
    }
  });
});
