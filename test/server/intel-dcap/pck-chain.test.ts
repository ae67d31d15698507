import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { createPckChainProver, type ProvenPck } from '../../../server/intel-dcap/pck-chain.ts';
import { createFakeIntel, type FakeIntel, pemOf, sharedFakeIntel } from '../../fakes/fake-intel.ts';
import {
  createIntelAuthority,
  createPckCertificate,
  type FakePckOptions,
} from '../../fakes/fake-intel-certificates.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const TOMORROW = new Date('2026-06-02T00:00:00Z');
const YESTERDAY = new Date('2026-05-31T00:00:00Z');

let intel: FakeIntel;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

function prove(chain: string | Uint8Array, of = intel): ProvenPck {
  const pem = typeof chain === 'string' ? Buffer.from(chain) : chain;
  return createPckChainProver(of.anchors)(pem, NOW);
}

describe('createPckChainProver', () => {
  it.each(['platform', 'processor'] as const)('proves the certificate of a %s', async (ca) => {
    const pck = await intel.pck({ ca });
    const proven = prove(pck.chain);
    expect(proven.ca).toBe(ca);
    expect([proven.leaf, proven.intermediate, proven.root].map(({ der }) => Buffer.from(der))).toEqual(
      [pck.certificate, intel.authority(ca).der, intel.authority('root').der].map((der) => Buffer.from(der)),
    );
    expect(proven.publicKey.equals(proven.leaf.publicKey)).toBe(true);
    expect(proven.anchor.publicKey.equals(proven.root.publicKey)).toBe(true);
    expect(proven.extension.fmspc).toBe('00806F050000');
  });

  it('passes over what is around the certificates', async () => {
    const { chain } = await intel.pck();
    expect(prove(`${chain}\0\0`).ca).toBe('platform');
    expect(prove(`\n${chain.replaceAll('\n', '\r\n')}`).ca).toBe('platform');
  });

  it.each<[string, string, FakePckOptions]>([
    ['another name', 'PCK_CHAIN_MALFORMED', { commonName: 'Intel SGX TCB Signing' }],
    ['no name', 'PCK_CHAIN_MALFORMED', { commonName: '' }],
    ['a key on P-384', 'PCK_CHAIN_MALFORMED', { curve: 'P-384' }],
    ['an end in the past', 'CERTIFICATE_EXPIRED', { notAfter: YESTERDAY }],
    ['a start in the future', 'CERTIFICATE_NOT_YET_VALID', { notBefore: TOMORROW }],
    [
      'an unknown critical extension',
      'CERTIFICATE_EXTENSION_UNKNOWN',
      { extensions: (usual) => [...usual, new x509.Extension('1.2.3', true, Uint8Array.of(5, 0))] },
    ],
    [
      'the SGX extension twice',
      'CERTIFICATE_MALFORMED',
      { extensions: (usual) => [...usual, usual.at(-1)!] },
    ],
  ])('refuses a leaf with %s with %s', async (_what, code, options) => {
    const { chain } = await intel.pck(options);
    expect(() => prove(chain)).toThrow(expect.objectContaining({ code }));
  });

  it.each(['root', 'processor', 'tcb-signing'] as const)('refuses a leaf that %s signed', async (role) => {
    const { chain } = await intel.pck({ signer: intel.authority(role) });
    expect(() => prove(chain)).toThrow(expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }));
  });

  it.each([
    ['another name', 'PCK_CHAIN_MALFORMED', { commonName: 'Intel SGX PCK Platform CA 2' }],
    ['the name of the root', 'PCK_CHAIN_MALFORMED', { commonName: 'Intel SGX Root CA' }],
    ['no authority', 'CERTIFICATE_NOT_AUTHORITY', { isCa: false }],
    ['an end in the past', 'CERTIFICATE_EXPIRED', { notAfter: YESTERDAY }],
    ['a start in the future', 'CERTIFICATE_NOT_YET_VALID', { notBefore: TOMORROW }],
  ] as const)('refuses an intermediate with %s with %s', async (_what, code, platform) => {
    const other = await createFakeIntel({ platform });
    const { chain } = await other.pck();
    expect(() => prove(chain, other)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['an end in the past', 'CERTIFICATE_EXPIRED', { notAfter: YESTERDAY }],
    ['a start in the future', 'CERTIFICATE_NOT_YET_VALID', { notBefore: TOMORROW }],
  ] as const)('refuses a root with %s with %s', async (_what, code, root) => {
    const other = await createFakeIntel({ root });
    const { chain } = await other.pck();
    expect(() => prove(chain, other)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses an Intel of the same names', async () => {
    const forger = await createFakeIntel();
    const { certificate, chain } = await forger.pck();
    expect(() => prove(chain)).toThrow(expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }));
    const mixed = [certificate, forger.authority('platform').der, intel.authority('root').der];
    expect(() => prove(pemOf(mixed))).toThrow(expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }));
    const mixedLower = [certificate, intel.authority('platform').der, intel.authority('root').der];
    expect(() => prove(pemOf(mixedLower))).toThrow(expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }));
  });

  it('refuses other numbers and orders of certificates', async () => {
    const { certificate } = await intel.pck();
    const [platform, root] = intel.issuerChain('platform');
    for (const ders of [
      [],
      [certificate],
      [certificate, platform!],
      [certificate, platform!, root!, root!],
      [root!, platform!, certificate],
      [certificate, root!, platform!],
    ]) {
      expect(() => prove(pemOf(ders))).toThrow(expect.objectContaining({ code: 'PCK_CHAIN_MALFORMED' }));
    }
  });

  it('refuses a third certificate that is not the root, though the root signed it', async () => {
    const between = await createIntelAuthority('platform', intel.authority('root'), { pathLength: 1 });
    const platform = await createIntelAuthority('platform', between);
    const leaf = await createPckCertificate(platform, {});
    expect(() => prove(pemOf([leaf.der, platform.der, between.der]))).toThrow(
      expect.objectContaining({ code: 'PCK_CHAIN_MALFORMED' }),
    );
  });

  it.each<[string, string, (chain: string) => string | Uint8Array]>([
    ['a chain that is cut', 'CERTIFICATE_MALFORMED', (chain) => chain.slice(0, -20)],
    ['bytes that are not text', 'PCK_CHAIN_MALFORMED', (chain) => Buffer.from(`${chain}é`, 'latin1')],
    [
      'a certificate that is not DER',
      'CERTIFICATE_MALFORMED',
      (chain) => chain.replace('CERTIFICATE-----\nM', 'CERTIFICATE-----\nA'),
    ],
    ['nothing', 'PCK_CHAIN_MALFORMED', () => ''],
  ])('refuses %s with %s', async (_what, code, change) => {
    const { chain } = await intel.pck();
    expect(() => prove(change(chain))).toThrow(expect.objectContaining({ code }));
  });

  it('keeps what it has verified, whatever is around it', async () => {
    const { chain } = await intel.pck();
    const prover = createPckChainProver(intel.anchors);
    const first = prover(Buffer.from(chain), NOW);
    expect(prover(Buffer.from(`${chain}\0`), NOW)).toBe(first);
    expect(prover(Buffer.from((await intel.pck()).chain), NOW)).not.toBe(first);
  });

  it.each(['leaf', 'intermediate', 'root'] as const)(
    'does not keep a verdict about the dates of the %s',
    async (which) => {
      const short = { notAfter: TOMORROW };
      const other = await createFakeIntel(
        which === 'root' ? { root: short } : which === 'intermediate' ? { platform: short } : {},
      );
      const { chain } = await other.pck(which === 'leaf' ? short : {});
      const prover = createPckChainProver(other.anchors);
      const pem = Buffer.from(chain);
      expect(prover(pem, NOW)).toBeDefined();
      expect(() => prover(pem, new Date('2026-06-03T00:00:00Z'))).toThrow(
        expect.objectContaining({ code: 'CERTIFICATE_EXPIRED' }),
      );
      expect(() => prover(pem, new Date('2019-06-03T00:00:00Z'))).toThrow(
        expect.objectContaining({ code: 'CERTIFICATE_NOT_YET_VALID' }),
      );
      expect(prover(pem, NOW)).toBeDefined();
    },
  );

  it('keeps no refusal', async () => {
    const { chain } = await intel.pck({ notBefore: TOMORROW });
    const prover = createPckChainProver(intel.anchors);
    expect(() => prover(Buffer.from(chain), NOW)).toThrow();
    expect(prover(Buffer.from(chain), TOMORROW)).toBeDefined();
  });

  it('takes no issuer for another one of its name', async () => {
    const prover = createPckChainProver(intel.anchors);
    expect(prover(Buffer.from((await intel.pck()).chain), NOW)).toBeDefined();
    const forged = (await (await createFakeIntel()).pck()).chain;
    expect(() => prover(Buffer.from(forged), NOW)).toThrow(
      expect.objectContaining({ code: 'CHAIN_UNTRUSTED' }),
    );
  });

  it('never throws a foreign error, nor proves what Intel did not sign', async () => {
    const { chain, certificate } = await intel.pck();
    const prover = createPckChainProver(intel.anchors);
    const pem = Buffer.from(chain);
    const change = fc.record({ at: fc.nat({ max: pem.byteLength - 1 }), byte: fc.nat({ max: 255 }) });
    const changed = fc.array(change, { maxLength: 3 }).map((changes) => {
      const bytes = Uint8Array.from(pem);
      for (const { at, byte } of changes) bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 400 })), (bytes) => {
        try {
          expect(Buffer.from(prover(bytes, NOW).leaf.der)).toEqual(Buffer.from(certificate));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
