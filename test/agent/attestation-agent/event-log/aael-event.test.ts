import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aaelText,
  eventDigest,
  logRecord,
  taggedEvent,
} from '../../../../agent/attestation-agent/event-log/aael-event.ts';
import { specIdHeader } from '../../../../agent/attestation-agent/event-log/spec-id-header.ts';
import {
  decodeWriteAhead,
  encodeWriteAhead,
} from '../../../../agent/attestation-agent/event-log/write-ahead-entry.ts';
import { eventLogClaims } from '../../../../server/event-log/event-claims.ts';
import { parseEventLog } from '../../../../server/event-log/event-log.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = 'domain operation content';
const event = { domain: 'domain', operation: 'operation', content: 'content' };
const token = fc.stringMatching(/^[!-~]{1,16}$/);
const content = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\n'));

describe('an event of the attestation agent', () => {
  it('is domain, operation and content', () => {
    expect(aaelText(event)).toBe(text);
    expect(aaelText({ ...event, content: '{"image":"a", "digest":"b"}' })).toBe(
      'domain operation {"image":"a", "digest":"b"}',
    );
    expect(aaelText({ ...event, content: '' })).toBe('domain operation ');
  });

  it('is tagged as upstream does it', () => {
    expect(hex(taggedEvent(text))).toBe('4c45414118000000646f6d61696e206f7065726174696f6e20636f6e74656e74');
  });

  it.each([
    ['sha256', '46df8dacf00a07d34a83cdf56d7978697790787cf2ba1432ef7c38f22cd96351'],
    [
      'sha384',
      'dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02',
    ],
    [
      'sha512',
      'b708d222ca8bd44dfe6ba0c4ca2cbb72379276fba8091025217064be45a813e5d6124ccf073219edb617d1faf007d55061465bdf34b7437dbdc9a7405bd4e9c0',
    ],
  ] as const)('has the digest of upstream in %s', (hash, digest) => {
    expect(hex(eventDigest(text, hash))).toBe(digest);
  });

  it('is a record of 98 bytes in the log of a TDX guest', () => {
    const record = logRecord(4, text, 'sha384');
    expect(record).toHaveLength(98);
    expect(hex(record)).toBe(
      `0400000006000000010000000c00${hex(eventDigest(text, 'sha384'))}20000000${hex(taggedEvent(text))}`,
    );
  });

  it.each([
    ['sha256', '0b00'],
    ['sha512', '0d00'],
    ['sm3', '1200'],
  ] as const)('names %s in its record', (hash, id) => {
    expect(hex(logRecord(1, text, hash))).toMatch(new RegExp(`^010000000600000001000000${id}`));
  });

  it.each<[string, Partial<typeof event>, string]>([
    ['an empty domain', { domain: '' }, 'EVENT_TOKEN_MALFORMED'],
    ['a domain with a space', { domain: 'a b' }, 'EVENT_TOKEN_MALFORMED'],
    ['a domain with a tab', { domain: 'a\tb' }, 'EVENT_TOKEN_MALFORMED'],
    ['a domain with a NUL', { domain: 'a\0b' }, 'EVENT_TOKEN_MALFORMED'],
    ['a domain with a space of Unicode', { domain: 'a\u2003b' }, 'EVENT_TOKEN_MALFORMED'],
    ['a domain that is too long', { domain: 'a'.repeat(257) }, 'EVENT_TOKEN_MALFORMED'],
    ['an operation with a line break', { operation: 'a\nb' }, 'EVENT_TOKEN_MALFORMED'],
    ['half a character', { operation: '\ud800' }, 'EVENT_TOKEN_MALFORMED'],
    ['content with a line break', { content: 'a\nb' }, 'EVENT_CONTENT_MALFORMED'],
    ['content with half a character', { content: '\ud800' }, 'EVENT_CONTENT_MALFORMED'],
  ])('A8: is refused with %s', (_what, change, code) => {
    expect(() => aaelText({ ...event, ...change })).toThrow(expect.objectContaining({ code }));
  });

  it('is read by servers as it was written', () => {
    fc.assert(
      fc.property(token, token, content, (domain, operation, words) => {
        const record = logRecord(4, aaelText({ domain, operation, content: words }), 'sha384');
        const log = parseEventLog(Buffer.concat([specIdHeader(['sha384']), record]));
        expect(log.records).toHaveLength(1);
        const [claim] = eventLogClaims(log) as readonly { readonly details?: { readonly data?: unknown } }[];
        expect(claim?.details?.data).toMatchObject({ domain, operation });
      }),
    );
  });
});

describe('specIdHeader', () => {
  it('is what upstream begins logs with that no firmware began', () => {
    expect(hex(specIdHeader(['sha384', 'sm3']))).toBe(
      `0000000003000000${'00'.repeat(20)}25000000${'00'.repeat(16)}0000000000000000020000000c0030001200200000`,
    );
    expect(specIdHeader(['sha384', 'sm3'])).toHaveLength(69);
  });
});

describe('the write-ahead entry', () => {
  it('has upstream’s form for the register of the configuration', () => {
    const expected = new Uint8Array(32).fill(0xab);
    const bytes = encodeWriteAhead({ offset: 512, expected, text, register: undefined });
    expect(hex(bytes)).toBe(`0000000000000200${'ab'.repeat(32)}${Buffer.from(text).toString('hex')}`);
    expect(decodeWriteAhead(bytes, 'sha256')).toEqual({
      offset: 512,
      expected: Buffer.from(expected),
      text,
      register: undefined,
    });
  });

  it('is read as it was written', () => {
    const entry = fc.record({
      offset: fc.nat(),
      expected: fc.uint8Array({ minLength: 48, maxLength: 48 }),
      text: fc
        .tuple(token, token, content)
        .map(([domain, operation, words]) => aaelText({ domain, operation, content: words })),
      register: fc.option(fc.nat({ max: 23 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(entry, (written) => {
        const read = decodeWriteAhead(encodeWriteAhead(written), 'sha384');
        expect(read && { ...read, expected: Uint8Array.from(read.expected) }).toEqual(written);
      }),
    );
  });

  it('is none, and no error, for any other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        expect(() => decodeWriteAhead(bytes, 'sha384')).not.toThrow();
      }),
    );
    expect(decodeWriteAhead(Buffer.alloc(56), 'sha384')).toBeUndefined();
    const farAway = Buffer.concat([Buffer.alloc(8, 0xff), Buffer.alloc(48), Buffer.from(text)]);
    expect(decodeWriteAhead(farAway, 'sha384')).toBeUndefined();
    const twoLines = Buffer.concat([Buffer.alloc(56), Buffer.from(`${text}\nmore`)]);
    expect(decodeWriteAhead(twoLines, 'sha384')).toBeUndefined();
  });
});
