import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDevicePath } from '../../../server/event-log/device-path.ts';
import { readImageLoad } from '../../../server/event-log/image-load.ts';
import { fakeDevicePath, fakeImageLoad, fakeNode } from '../../fakes/event-log-bytes.ts';

type Node = readonly [number, number, string];
const utf16 = (text: string): string => Buffer.from(text, 'utf16le').toString('hex');
const ROOT: Node = [2, 1, 'd041030a00000000'];
const GPT = '0f000000002800000000000000500300000000005e27f1007553d5439eb5de2add4c99320202';
const end = fakeNode(0x7f, 0xff);

describe('readDevicePath', () => {
  it('reads the nodes before the one that ends the path', () => {
    const path = fakeDevicePath(
      ROOT,
      [1, 1, '0001'],
      [1, 1, '0000'],
      [4, 1, GPT],
      [4, 4, utf16('\\EFI\\BOOT\\BOOTX64.EFI\0')],
    );
    expect(readDevicePath(path)).toEqual([
      'ACPI(PNP0A03,0)',
      'Pci(0,1)',
      'Pci(0,0)',
      'HD(15,GPT,00F1275E-5375-43D5-9EB5-DE2ADD4C9932,0x2800,0x35000)',
      'File(\\EFI\\BOOT\\BOOTX64.EFI)',
    ]);
  });

  it.each<[string, Node]>([
    ['Pci(1,31)', [1, 1, '011f']],
    ['ACPI(PNP0A08,4294967295)', [2, 1, 'd041080affffffff']],
    ['USB(0,0)', [3, 5, '0000']],
    ['Mac(001320F5FA77,0x01)', [3, 11, `001320f5fa77${'00'.repeat(26)}01`]],
    ['Mac(001320F5FA00,0x00)', [3, 11, `001320f5fa00${'00'.repeat(26)}00`]],
    [`Mac(${'AB'.repeat(20)}${'00'.repeat(12)},0x20)`, [3, 11, `${'ab'.repeat(20)}${'00'.repeat(12)}20`]],
    [
      'IPv4(192.168.0.100,TCP,Static,192.168.0.1)',
      [3, 12, 'c0a80001c0a800640000bc0c060001' + '00'.repeat(8)],
    ],
    ['IPv4(192.168.0.100,UDP,DHCP,0.0.0.0)', [3, 12, '00000000c0a800640000bc0c110000']],
    [
      'IPv4(1.2.3.4,,,5.6.7.8,10.0.0.1,255.255.0.0)',
      [3, 12, '05060708010203040000bc0c0100020a000001ffff0000'],
    ],
    ['FibreEx(0x0001020304050607,0x0001020304050607)', [3, 21, '0000000000010203040506070001020304050607']],
    ['HD(0,MBR,0x00000000)', [4, 1, `${'00'.repeat(20)}00000000431202a000000000000000000101`]],
    [
      'HD(1,MBR,0xa0021243,0x800,0x2ee000)',
      [4, 1, '01000000000800000000000000e02e0000000000431202a000000000431202a0000000000101'],
    ],
    ['VenMedia(1428F772-B64A-441E-B8C3-9EBDD7F893C7,)', [4, 3, '72f728144ab61e44b8c39ebdd7f893c7']],
    ['VenMedia(55C5D1F8-04CD-46B5-8A20-E56CBB3052D0,00ff)', [4, 3, 'f8d1c555cd04b5468a20e56cbb3052d000ff']],
    ['File(kernel)', [4, 4, utf16('kernel\0')]],
    ['File(kernel)', [4, 4, utf16('kernel')]],
    ['BBS(USB,,0)', [5, 1, '0500000000']],
    ['BBS(65520,,0)', [5, 1, 'f0ff000000']],
    ['BBS(DEV,ABC,0)', [5, 1, '8000000041424300']],
  ])('reads %s', (text, node) => {
    expect(readDevicePath(fakeDevicePath(node))).toEqual([text]);
  });

  it.each<[string, Node]>([
    ['an unknown type', [9, 1, 'abcd']],
    ['an unknown subtype of hardware', [1, 2, '0000']],
    ['an unknown subtype of ACPI', [2, 2, '0000']],
    ['an unknown subtype of messaging', [3, 23, '010000000000000000000000']],
    ['an unknown subtype of media', [4, 2, '00']],
    ['an unknown subtype of BIOS boot', [5, 2, '0000000000']],
    ['the end of one instance', [0x7f, 1, '']],
    ['a PCI node of one byte', [1, 1, '00']],
    ['an ACPI node of seven bytes', [2, 1, 'd041030a000000']],
    ['a USB node of three bytes', [3, 5, '000000']],
    ['a MAC node of 32 bytes', [3, 11, '00'.repeat(32)]],
    ['an IPv4 node of 19 bytes', [3, 12, '00'.repeat(19)]],
    ['a fibre channel node of 16 bytes', [3, 21, '00'.repeat(16)]],
    ['a hard drive node of 37 bytes', [4, 1, GPT.slice(0, -2)]],
    ['a hard drive of another format', [4, 1, `${GPT.slice(0, -4)}0302`]],
    ['a vendor node of 15 bytes', [4, 3, '00'.repeat(15)]],
    ['a file node of no bytes', [4, 4, '']],
    ['a file node of three bytes', [4, 4, '610062']],
    ['a BIOS boot node of three bytes', [5, 1, '050000']],
    ['a BIOS boot node without an end', [5, 1, '8000000041']],
    ['a BIOS boot node that is not text', [5, 1, '80000000ff00']],
  ])('shows %s as it stands', (_what, [type, subtype, payload]) => {
    expect(readDevicePath(fakeDevicePath([type, subtype, payload]))).toEqual([
      `Path(${type},${subtype},${payload})`,
    ]);
  });

  it.each<[string, readonly Uint8Array[]]>([
    ['no node', []],
    ['no end', [fakeNode(1, 1, '0000')]],
    ['a node of length 0', [fakeNode(1, 1, '', 0), end]],
    ['a node of length 3', [fakeNode(1, 1, '', 3), end]],
    ['a node beyond the end', [fakeNode(1, 1, '0000', 0xffff), end]],
    ['a node that overlaps the end', [fakeNode(1, 1, '0000', 11), end]],
    ['an end before the end', [end, end]],
    ['an end with a payload', [fakeNode(0x7f, 0xff, '00')]],
    ['an end of length 0', [fakeNode(0x7f, 0xff, '', 0)]],
    ['seventeen nodes', [...Array.from({ length: 17 }, () => fakeNode(1, 1, '0000')), end]],
  ])('does not read a path with %s', (_what, nodes) => {
    expect(readDevicePath(Buffer.concat(nodes))).toBeUndefined();
  });

  it('reads sixteen nodes, and none', () => {
    expect(readDevicePath(fakeDevicePath(...Array.from({ length: 16 }, () => ROOT)))).toHaveLength(16);
    expect(readDevicePath(fakeDevicePath())).toEqual([]);
  });

  it('never throws', () => {
    const node = fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 3, 4, 5, 11, 12, 21),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(node, { maxLength: 4 }), fc.nat(), fc.nat({ max: 255 }), (nodes, at, byte) => {
        const path = Uint8Array.from(
          fakeDevicePath(
            ...nodes.map(
              ([type, subtype, payload]): Node => [type, subtype, Buffer.from(payload).toString('hex')],
            ),
          ),
        );
        expect(readDevicePath(path)).toHaveLength(nodes.length);
        path[at % path.byteLength] = byte;
        expect(() => readDevicePath(path)).not.toThrow();
      }),
    );
  });
});

describe('readImageLoad', () => {
  const path = fakeDevicePath([4, 3, '72f728144ab61e44b8c39ebdd7f893c7'], [4, 4, utf16('kernel\0')]);

  it('reads where an image came from', () => {
    expect(readImageLoad(fakeImageLoad(path))).toEqual({
      device_paths: ['VenMedia(1428F772-B64A-441E-B8C3-9EBDD7F893C7,)', 'File(kernel)'],
    });
  });

  it('reads an image without a path', () => {
    expect(readImageLoad(fakeImageLoad(new Uint8Array()))).toEqual({});
  });

  it('reads every truncation and every extension as malformed', () => {
    const whole = fakeImageLoad(path);
    for (let length = 0; length < whole.byteLength; length++) {
      expect(readImageLoad(whole.subarray(0, length))).toBeUndefined();
    }
    expect(readImageLoad(Uint8Array.of(...whole, 0))).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ['a path of three bytes', fakeImageLoad(Uint8Array.of(0x7f, 0xff, 3))],
    ['a path of 2^64 - 1 bytes', fakeImageLoad(path, (1n << 64n) - 1n)],
    ['a path without an end', fakeImageLoad(path.subarray(0, -4))],
  ])('does not read %s', (_what, event) => {
    expect(readImageLoad(event)).toBeUndefined();
  });
});
