import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import {
  freshnessOf,
  isNewerList,
  isRevoked,
  parseRevocationList,
  type RevocationList,
  verifyRevocationList,
} from '../../../server/x509/crl.ts';
import { X509Error } from '../../../server/x509/x509-error.ts';
import { ALGORITHMS, FROM, issue, NOW, type TestCertificate, UNTIL } from './test-pki.ts';

interface ListOptions {
  readonly number?: number;
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date | undefined;
  readonly extra?: readonly x509.Extension[];
  readonly entryExtensions?: readonly x509.Extension[];
}

describe('revocation lists', () => {
  let issuer: TestCertificate;
  let list: RevocationList;

  beforeAll(async () => {
    issuer = await issue('issuer');
    list = parseRevocationList(await create());
  });

  async function create(options: ListOptions = {}): Promise<Uint8Array> {
    const number = new x509.Extension('2.5.29.20', false, Uint8Array.of(2, 1, options.number ?? 7));
    const nextUpdate = 'nextUpdate' in options ? options.nextUpdate : UNTIL;
    const native = await x509.X509CrlGenerator.create({
      issuer: issuer.native.subject,
      thisUpdate: options.thisUpdate ?? FROM,
      ...(nextUpdate && { nextUpdate }),
      signingKey: issuer.keys.privateKey,
      signingAlgorithm: ALGORITHMS['P-256'],
      entries: [
        {
          serialNumber: '00ab',
          revocationDate: FROM,
          ...(options.entryExtensions && { extensions: [...options.entryExtensions] }),
        },
      ],
      extensions: [number, ...(options.extra ?? [])],
    });
    return new Uint8Array(native.rawData);
  }

  it('reads, verifies and answers', () => {
    expect(list).toMatchObject({
      issuerCommonName: 'issuer',
      thisUpdate: FROM,
      nextUpdate: UNTIL,
      number: 7n,
    });
    const verified = verifyRevocationList(list, { publicKey: issuer.certificate.publicKey });
    expect(isRevoked(verified, 'AB')).toBe(true);
    expect(isRevoked(verified, '00ab')).toBe(true);
    expect(isRevoked(verified, 'ac')).toBe(false);
  });

  it('refuses a list that another key of the same name signed', async () => {
    const { publicKey } = (await issue('issuer')).certificate;
    expect(() => verifyRevocationList(list, { publicKey })).toThrow(
      expect.objectContaining({ code: 'CRL_UNTRUSTED' }),
    );
  });

  it('refuses an issuer that may not sign lists', () => {
    // The key usage of the test issuer is keyCertSign alone.
    expect(() => verifyRevocationList(list, issuer.certificate)).toThrow(
      expect.objectContaining({ code: 'CRL_UNTRUSTED' }),
    );
  });

  it.each<[string, ListOptions]>([
    ['no nextUpdate', { nextUpdate: undefined }],
    [
      'an unknown critical extension',
      { extra: [new x509.Extension('2.5.29.28', true, Uint8Array.of(0x30, 0))] },
    ],
    [
      'an unknown critical extension of an entry',
      { entryExtensions: [new x509.Extension('2.5.29.29', true, Uint8Array.of(0x30, 0))] },
    ],
  ])('refuses %s', async (_what, options) => {
    const der = await create(options);
    expect(() => parseRevocationList(der)).toThrow(expect.objectContaining({ code: 'CRL_MALFORMED' }));
  });

  it('refuses what is too large, every truncation, and every flipped bit', () => {
    expect(() => parseRevocationList(new Uint8Array((1 << 20) + 1))).toThrow(
      expect.objectContaining({ code: 'CRL_MALFORMED' }),
    );
    const { publicKey } = issuer.certificate;
    for (let index = 0; index < list.der.byteLength; index++) {
      expect(() => parseRevocationList(list.der.subarray(0, index))).toThrow(X509Error);
      const flipped = Uint8Array.from(list.der);
      flipped[index]! ^= 1;
      expect(() => verifyRevocationList(parseRevocationList(flipped), { publicKey })).toThrow(X509Error);
    }
  });

  it('tells current from stale from over', () => {
    const verified = verifyRevocationList(list, { publicKey: issuer.certificate.publicKey });
    const after = (seconds: number): Date => new Date(UNTIL.getTime() + seconds * 1000);
    expect(freshnessOf(verified, NOW, 0)).toBe('current');
    expect(freshnessOf(verified, UNTIL, 0)).toBe('current');
    expect(freshnessOf(verified, after(60), 60)).toBe('stale');
    expect(() => freshnessOf(verified, after(61), 60)).toThrow(
      expect.objectContaining({ code: 'CRL_EXPIRED' }),
    );
    expect(() => freshnessOf(verified, new Date(FROM.getTime() - 1), 60)).toThrow(
      expect.objectContaining({ code: 'CRL_NOT_YET_VALID' }),
    );
  });

  it('orders lists by date, then by number', async () => {
    const next = parseRevocationList(await create({ number: 8 }));
    const later = parseRevocationList(await create({ thisUpdate: NOW }));
    expect(isNewerList(next, list)).toBe(true);
    expect(isNewerList(list, next)).toBe(false);
    expect(isNewerList(later, list)).toBe(true);
    expect(isNewerList(list, list)).toBe(false);
  });

  it('never throws a foreign error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          parseRevocationList(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
