import { describe, expect, it } from 'vitest';
import { isLoopback, parseTcpAddress, parseUnixAddress } from '../../../agent/rpc/address.ts';

describe('an address of ttrpc', () => {
  it('is a path after unix://', () => {
    expect(parseUnixAddress('unix:///run/confidential-containers/cdh.sock')).toEqual({
      path: '/run/confidential-containers/cdh.sock',
      isAbstract: false,
    });
  });

  it('is an abstract name after unix://@', () => {
    expect(parseUnixAddress('unix://@cdh')).toEqual({ path: '\0cdh', isAbstract: true });
  });

  it('may be as long as sun_path', () => {
    expect(parseUnixAddress(`unix:///${'x'.repeat(106)}`).path).toHaveLength(107);
  });

  it.each([
    ['no scheme', '/run/cdh.sock'],
    ['another scheme', 'tcp://127.0.0.1:1'],
    ['another case', 'UNIX:///run/cdh.sock'],
    ['a relative path', 'unix://run/cdh.sock'],
    ['nothing', 'unix://'],
    ['the root', 'unix:///'],
    ['a directory', 'unix:///run/'],
    ['an empty abstract name', 'unix://@'],
    ['a NUL', 'unix:///run/a\0b'],
    ['more than sun_path holds', `unix:///${'x'.repeat(107)}`],
    ['more bytes than characters', `unix:///${'é'.repeat(54)}`],
  ])('is refused with %s', (_what, text) => {
    expect(() => parseUnixAddress(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_MALFORMED' }));
  });
});

describe('an address of gRPC', () => {
  it.each([
    ['127.0.0.1:50002', { host: '127.0.0.1', port: 50002 }, true],
    ['127.255.0.9:1', { host: '127.255.0.9', port: 1 }, true],
    ['[::1]:50000', { host: '::1', port: 50000 }, true],
    ['localhost:0', { host: 'localhost', port: 0 }, true],
    ['0.0.0.0:65535', { host: '0.0.0.0', port: 65535 }, false],
    ['[::]:80', { host: '::', port: 80 }, false],
    ['127.0.0.1.example.org:80', { host: '127.0.0.1.example.org', port: 80 }, false],
    ['localhost.example.org:80', { host: 'localhost.example.org', port: 80 }, false],
  ])('%s is read; whether it is loopback', (text, address, loopback) => {
    expect(parseTcpAddress(text)).toEqual(address);
    expect(isLoopback(address)).toBe(loopback);
  });

  it.each(['127.0.0.1', ':50000', '127.0.0.1:65536', '127.0.0.1:-1', '::1:50000', 'http://127.0.0.1:1', ''])(
    'is refused as %j',
    (text) => {
      expect(() => parseTcpAddress(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_MALFORMED' }));
    },
  );
});
