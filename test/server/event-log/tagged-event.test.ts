import { describe, expect, it } from 'vitest';
import { readTaggedEvent } from '../../../server/event-log/tagged-event.ts';
import { fakeTaggedEvent } from '../../fakes/event-log-bytes.ts';

const AAEL = 0x4141_454c;
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

describe('readTaggedEvent', () => {
  it.each<[string, Uint8Array, string]>([
    [
      'load options',
      Buffer.concat([hex('ed223b8f1a000000'), Buffer.from('LOADED_IMAGE::LoadOptions\0')]),
      'LOADED_IMAGE::LoadOptions',
    ],
    ['an initrd', Buffer.concat([hex('ec223b8f0d000000'), Buffer.from('Linux initrd\0')]), 'Linux initrd'],
    ['bytes that are not text', fakeTaggedEvent(1, Uint8Array.of(0x61, 0xff, 0, 0x62)), 'a\ufffdb'],
    ['nothing', fakeTaggedEvent(1, ''), ''],
  ])('reads %s', (_what, event, string) => {
    expect(readTaggedEvent(event)).toEqual({ string });
  });

  it.each<[string, Uint8Array]>([
    ['no bytes', hex('')],
    ['no size', hex('ed223b8f1a0000')],
    ['a size beyond the end', hex('0f74645f7061796c6f6164')],
    ['bytes behind the content', Buffer.concat([fakeTaggedEvent(1, 'a'), hex('00')])],
    ['a size of four gigabytes', fakeTaggedEvent(1, 'a', 0xffff_ffff)],
  ])('does not read %s', (_what, event) => {
    expect(readTaggedEvent(event)).toBeUndefined();
  });

  it.each<[string, string, unknown]>([
    ['text', 'some content, with spaces', 'some content, with spaces'],
    ['nothing', '', ''],
    [
      'an object',
      '{"key": "value", "nested": {"sub": [1, null, true]}}',
      { key: 'value', nested: { sub: [1, null, true] } },
    ],
    ['a number', '12', 12],
    ['an image', '{"digest":"sha256:00","image":"a/b"}', { digest: 'sha256:00', image: 'a/b' }],
    ['broken JSON', '{"key":', '{"key":'],
    ['JSON that two readers take differently', '{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['a key that is special', '{"__proto__":{}}', '{"__proto__":{}}'],
    ['an integer that would be rounded', '[{"a":18446744073709551615}]', '[{"a":18446744073709551615}]'],
    ['a number that is infinite', '{"a":1e999}', '{"a":1e999}'],
    ['half a character', '["\\ud800"]', '["\\ud800"]'],
    ['half a character in a key', '{"\\ud800":1}', '{"\\ud800":1}'],
    ['JSON of 32 levels', nested(32), JSON.parse(nested(32))],
    ['JSON too deep for a token', nested(33), nested(33)],
    ['JSON that is too deep', nested(65), nested(65)],
    ['text that begins as JSON does', 'no', 'no'],
  ])('reads an AAEL entry with %s', (_what, text, content) => {
    const string = `coco.com some-operation ${text}`;
    expect(readTaggedEvent(fakeTaggedEvent(AAEL, string))).toEqual({
      string,
      unicode_name: 'AAEL',
      data: { domain: 'coco.com', operation: 'some-operation', content },
    });
  });

  it.each<[string, string | Uint8Array]>([
    ['a domain only', 'coco.com'],
    ['no content', 'coco.com operation'],
    ['no domain', ' operation content'],
    ['no operation', 'coco.com  content'],
    ['a domain with a tab', 'coco\t.com operation content'],
    ['bytes that are not UTF-8', Buffer.from('coco.com operation \xff', 'latin1')],
  ])('does not read an AAEL entry with %s', (_what, entry) => {
    expect(readTaggedEvent(fakeTaggedEvent(AAEL, entry))).toBeUndefined();
  });
});
