import { describe, expect, it } from 'vitest';
import { bindRuntimeData } from '../../../server/attestation/runtime-data.ts';
import { toBase64Url, toHex, toUtf8 } from '../../../server/bytes/encoding.ts';

const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : toHex(bytes));

describe('bindRuntimeData', () => {
  it('takes raw bytes as they are', () => {
    const bound = bindRuntimeData({ raw: toBase64Url(toUtf8('aaaaa')) }, undefined);
    expect(hex(bound.reportData)).toBe('6161616161');
    expect(bound.claims).toBeNull();
  });

  it('expects nothing when the caller gave nothing', () => {
    expect(bindRuntimeData(undefined, undefined)).toMatchObject({ reportData: undefined, claims: null });
  });

  // RFC 8785 with SHA-384: the values that upstream's clients compute.
  it.each([
    [
      { b: 1, a: 'test', c: { d: 'e' } },
      'e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3',
    ],
    [
      {
        'tee-pubkey': { y: 'y', x: 'x', kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW' },
        nonce: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
        'additional-evidence': '',
      },
      '31501c9e7fad0e79a476c4b018b17de772fa8291f5305f73587c948a9ec0262170cf827be19a0263b972100dcbb19c27',
    ],
  ])('takes a document by the digest of its canonical form', (structured, expected) => {
    expect(hex(bindRuntimeData({ structured }, undefined).reportData)).toBe(expected);
  });

  it.each([
    ['SHA256', 32],
    ['sha384', 48],
    ['sha512', 64],
    ['sm3', 32],
  ])('knows %s', (algorithm, length) => {
    expect(bindRuntimeData({ structured: {} }, algorithm).reportData?.byteLength).toBe(length);
  });

  it('finds the nonce and the key that the guest bound, whatever else is there', () => {
    const structured = { nonce: 'n', 'tee-pubkey': { kty: 'EC' }, other: [1] };
    expect(bindRuntimeData({ structured }, undefined)).toMatchObject({
      nonce: 'n',
      teePublicKey: { kty: 'EC' },
    });
    expect(bindRuntimeData({ structured: { nonce: 7, 'tee-pubkey': 'x' } }, undefined)).toMatchObject({
      nonce: undefined,
      teePublicKey: undefined,
    });
    expect(bindRuntimeData({ structured: [] }, undefined).nonce).toBeUndefined();
  });

  it.each([
    ['an unknown hash', { structured: {} }, 'md5', 'HASH_ALGORITHM_UNKNOWN'],
    ['raw data that is not base64url', { raw: 'a+b=' }, undefined, 'ENCODING_MALFORMED'],
    ['an integer beyond 2^53', { structured: { a: [2 ** 53] } }, undefined, 'RUNTIME_DATA_NOT_CANONICAL'],
    ['a lone surrogate', { structured: '\ud800' }, undefined, 'RUNTIME_DATA_NOT_CANONICAL'],
  ])('refuses %s', (_what, data, algorithm, code) => {
    expect(() => bindRuntimeData(data, algorithm)).toThrow(expect.objectContaining({ code }));
  });
});
