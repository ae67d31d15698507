import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseSnpReport } from '../../../../server/verifiers/snp/report.ts';
import { verifyReportSignature } from '../../../../server/verifiers/snp/report-signature.ts';
import { encodeFakeReport, fakeReport, signedReportBytes } from '../../../fakes/snp-report.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ORDER = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
).toReversed();
const R = 0x2a0;
const S = 0x2e8;

function signed(mutate: (bytes: Uint8Array) => void = () => undefined): Uint8Array {
  const bytes = signedReportBytes(encodeFakeReport(fakeReport('Milan', 3), 'Milan'), privateKey);
  mutate(bytes);
  return bytes;
}

describe('verifyReportSignature', () => {
  it('accepts what the key signed', async () => {
    await expect(verifyReportSignature(parseSnpReport(signed()), publicKey)).resolves.toBeUndefined();
  });

  it.each<[string, string, (bytes: Uint8Array) => void]>([
    ['r of zero', 'SIGNATURE_MALFORMED', (bytes) => bytes.fill(0, R, R + 72)],
    ['s of zero', 'SIGNATURE_MALFORMED', (bytes) => bytes.fill(0, S, S + 72)],
    [
      'r of the order',
      'SIGNATURE_MALFORMED',
      (bytes) => {
        bytes.set(ORDER, R);
      },
    ],
    ['s beyond the order', 'SIGNATURE_MALFORMED', (bytes) => bytes.fill(0xff, S, S + 48)],
    [
      'a byte behind r',
      'SIGNATURE_MALFORMED',
      (bytes) => {
        bytes[R + 48] = 1;
      },
    ],
    [
      'a byte behind s',
      'SIGNATURE_MALFORMED',
      (bytes) => {
        bytes[S + 71] = 1;
      },
    ],
    ['r big-endian', 'SIGNATURE_INVALID', (bytes) => bytes.subarray(R, R + 48).reverse()],
    [
      'r and s exchanged',
      'SIGNATURE_INVALID',
      (bytes) => {
        const r = bytes.slice(R, R + 72);
        bytes.copyWithin(R, S, S + 72);
        bytes.set(r, S);
      },
    ],
    [
      'algorithm 0',
      'SIGNATURE_ALGORITHM_UNSUPPORTED',
      (bytes) => {
        bytes[0x034] = 0;
      },
    ],
    [
      'algorithm 2',
      'SIGNATURE_ALGORITHM_UNSUPPORTED',
      (bytes) => {
        bytes[0x034] = 2;
      },
    ],
  ])('refuses %s with %s', async (_what, code, mutate) => {
    const report = parseSnpReport(signed(mutate));
    await expect(verifyReportSignature(report, publicKey)).rejects.toMatchObject({ code });
  });

  it('refuses another key, and keys of another curve or kind', async () => {
    const report = parseSnpReport(signed());
    const another = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    await expect(verifyReportSignature(report, another)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    for (const key of [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
      generateKeyPairSync('ed25519').publicKey,
    ]) {
      await expect(verifyReportSignature(report, key)).rejects.toMatchObject({
        code: 'SIGNATURE_ALGORITHM_UNSUPPORTED',
      });
    }
  });

  it('never verifies with any signed byte flipped', async () => {
    const bytes = signed();
    for (let index = 0; index < S + 48; index++) {
      const flipped = Uint8Array.from(bytes);
      flipped[index]! ^= 1 << (index % 8);
      await expect(
        (async () => {
          await verifyReportSignature(parseSnpReport(flipped), publicKey);
        })(),
      ).rejects.toHaveProperty('code');
    }
  });
});
