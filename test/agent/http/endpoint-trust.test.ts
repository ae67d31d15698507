import { beforeAll, describe, expect, test } from 'vitest';
import { checkTrust, parseEndpointUrl } from '../../../agent/http/endpoint-trust.ts';
import { createFakeAuthority } from '../../fakes/fake-tls.ts';

const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
let pem: string;

beforeAll(async () => {
  ({ pem } = await createFakeAuthority());
});

test('authorities and pins are read; text around certificates is not minded', () => {
  const trust = checkTrust({ ca: { mode: 'only', pem: `# ours\n${pem}\n${pem}` }, pins: [PIN, PIN] });
  expect(trust.authorities).toHaveLength(2);
  expect(trust).toMatchObject({ isSystemTrusted: false, pinnedKeys: new Set([PIN.slice('sha256/'.length)]) });
  expect(checkTrust({ ca: { mode: 'add', pem } }).isSystemTrusted).toBe(true);
  expect(checkTrust({})).toEqual({ authorities: [], isSystemTrusted: true, pinnedKeys: undefined });
});

describe('what is there but says nothing is a mistake, and never "any"', () => {
  test.each([
    ['no certificate', 'CA_EMPTY', () => ({ ca: { mode: 'add', pem: ' \n' } as const })],
    ['text that is no PEM', 'CA_MALFORMED', () => ({ ca: { mode: 'only', pem: 'AAAA' } as const })],
    [
      'half a certificate',
      'CA_MALFORMED',
      () => ({ ca: { mode: 'only', pem: pem + pem.slice(0, 200) } as const }),
    ],
    [
      'a block that is no certificate',
      'CA_MALFORMED',
      () => ({
        ca: { mode: 'only', pem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } as const,
      }),
    ],
    [
      'a private key beside the certificate',
      'CA_MALFORMED',
      () => ({
        ca: {
          mode: 'add',
          pem: `${pem}\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----`,
        } as const,
      }),
    ],
    ['no pin', 'PIN_MALFORMED', () => ({ pins: [] })],
    ['a pin of another hash', 'PIN_MALFORMED', () => ({ pins: ['sha1/AAAA'] })],
    ['a pin without its end', 'PIN_MALFORMED', () => ({ pins: [PIN.slice(0, -4)] })],
  ])('%s: %s', (_what, code, trust) => {
    expect(() => checkTrust(trust())).toThrow(expect.objectContaining({ code }));
  });
});

test('the base of the paths has no slash at its end', () => {
  expect(parseEndpointUrl('https://KBS.example:8443/')).toBe('https://kbs.example:8443');
  expect(parseEndpointUrl('http://kbs.example/below//')).toBe('http://kbs.example/below');
});

test.each([
  ['kbs.example', 'ENDPOINT_URL_INVALID'],
  ['ftp://kbs.example', 'ENDPOINT_URL_INVALID'],
  ['https://user:password@kbs.example', 'ENDPOINT_URL_INVALID'],
  ['https://kbs.example/?a=b', 'ENDPOINT_URL_INVALID'],
  ['https://kbs.example/#a', 'ENDPOINT_URL_INVALID'],
])('%s is no endpoint', (text, code) => {
  expect(() => parseEndpointUrl(text)).toThrow(expect.objectContaining({ code }));
});

test('pins and authorities need https: on http nobody would look at them', () => {
  expect(() => parseEndpointUrl('http://kbs.example', { pins: [PIN] })).toThrow(
    expect.objectContaining({ code: 'ENDPOINT_TRUST_NEEDS_HTTPS' }),
  );
});
