import { describe, expect, it } from 'vitest';
import {
  readDescription,
  readIplText,
  readPlatformConfigText,
  readText,
} from '../../../server/event-log/event-text.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const utf16 = (text: string): string => Buffer.from(text, 'utf16le').toString('hex');

describe('readText', () => {
  it.each([
    ['73616d706c6520746573742064617461', 'sample test data'],
    ['', ''],
    ['0f', '\x0f'],
    ['610062', 'a\0b'],
    ['efbbbf61', '\ufeffa'],
  ])('reads %s', (event, string) => {
    expect(readText(hex(event))).toEqual({ string });
  });

  it.each(['ff', 'c080', 'eda080', '61c3'])('does not read %s', (event) => {
    expect(readText(hex(event))).toBeUndefined();
  });
});

describe('readPlatformConfigText', () => {
  const payloadInfo = Buffer.concat([
    Buffer.from('td_payload_info\0'),
    hex('00100000'), // a length, little-endian
    Buffer.from('root=/dev/vda1 console=hvc0 rw'),
    Buffer.alloc(64),
  ]);

  it.each<[string, Uint8Array, string]>([
    ['text', hex('414350492044415441'), 'ACPI DATA'],
    ['what td-shim writes', payloadInfo, 'td_payload_info root=/dev/vda1 console=hvc0 rw'],
    ['binary data', hex('74645f686f6280ff'), ''],
    ['nothing', hex(''), ''],
    ['control characters of one and of two bytes', hex('61c28562090a7f63c2a0'), 'abc\u00a0'],
    ['several U+0010', hex('1061101062'), ' a  b'],
  ])('reads %s', (_what, event, string) => {
    const before = Buffer.from(event).toString('hex');
    expect(readPlatformConfigText(event)).toEqual({ string });
    expect(Buffer.from(event).toString('hex')).toBe(before);
  });
});

describe('readIplText', () => {
  it.each([
    ['4d6f', 'Mo'],
    ['4d6f6b4c69737400', 'MokList'],
    [`2e00${utf16('linux\0')}`, 'linux'],
    [`2e00${utf16('cmdline\0')}`, 'cmdline'],
    [`2e00${utf16('sbat\0')}`, 'sbat'],
    [`2e00${utf16('sbat')}`, 'sbat'],
    ['2e0000d86100', '\ufffda'],
    [Buffer.from('grub_cmd set pager=1\0\0').toString('hex'), 'grub_cmd set pager=1'],
    ['0061', ''],
    ['ff00', 'ff00'],
    ['61ff', '61ff'],
  ])('reads %s', (event, string) => {
    expect(readIplText(hex(event))).toEqual({ string });
  });

  it.each(['', '4d', '2e00', '2e0000', '2e000000', '2e006c0000'])('does not read %s', (event) => {
    expect(readIplText(hex(event))).toBeUndefined();
  });
});

describe('readDescription', () => {
  const name = 'Fv(48DB5E17-707C-472D-91CD-1613E7EF51B0)';

  it.each([
    ['095464785461626c65000100000000000000', 'TdxTable'],
    ['0b74645f7061796c6f61640000109000000000000000001000000000', 'td_payload'],
    [`29${Buffer.from(`${name}\0`).toString('hex')}`, name],
    [`28${Buffer.from(name).toString('hex')}`, name],
    ['00', ''],
    ['0100', ''],
    ['036100620000', 'a\0b'],
  ])('reads %s', (event, string) => {
    expect(readDescription(hex(event))).toEqual({ string });
  });

  it.each(['', '0f', '3746762834', '01', '0f74645f7061796c6f61640000109000000000000000'])(
    'does not read %s',
    (event) => {
      expect(readDescription(hex(event))).toBeUndefined();
    },
  );
});
