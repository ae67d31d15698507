import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { Measurement } from './measurement.ts';

/** What the machine's cores do together, on the thread pool: no service that checks such signatures can do more. */
export interface CryptoRates {
  readonly p256Verify: number;
  readonly p384Verify: number;
  readonly p256Sign: number;
}

const signOnThreadPool = promisify(sign);
const verifyOnThreadPool = promisify(verify);
/** As long as the signed part of an SNP report. */
const MESSAGE = new Uint8Array(0x2a0).fill(7);

export async function measureCryptoRates(seconds: number): Promise<CryptoRates> {
  return {
    p256Verify: await verificationRate('P-256', 'sha256', seconds),
    p384Verify: await verificationRate('P-384', 'sha384', seconds),
    p256Sign: await signingRate(seconds),
  };
}

export async function verificationRate(
  namedCurve: 'P-256' | 'P-384',
  hash: string,
  seconds: number,
): Promise<number> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const signature = sign(hash, MESSAGE, privateKey);
  return await rateOf(seconds, async () => {
    if (!(await verifyOnThreadPool(hash, MESSAGE, publicKey, signature))) throw new Error('expected true');
  });
}

export function cryptoMeasurements(rates: CryptoRates): readonly Measurement[] {
  const note = `node:crypto, ${availableParallelism()} cores`;
  return [
    { name: 'limit: ECDSA P-256 verify', perSecond: rates.p256Verify, note },
    { name: 'limit: ECDSA P-384 verify', perSecond: rates.p384Verify, note },
    { name: 'limit: ECDSA P-256 sign', perSecond: rates.p256Sign, note },
  ];
}

async function signingRate(seconds: number): Promise<number> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return await rateOf(seconds, async () => {
    await signOnThreadPool('sha256', MESSAGE, privateKey);
  });
}

/** Several in flight for each core, so that none rests. */
async function rateOf(seconds: number, once: () => Promise<void>): Promise<number> {
  const started = performance.now();
  const end = started + seconds * 1000;
  let count = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      await once();
      count++;
    }
  };
  await Promise.all(Array.from({ length: 4 * availableParallelism() }, loop));
  return (count * 1000) / (performance.now() - started);
}
