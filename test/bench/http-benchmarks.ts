import { type BenchEstate, RESOURCE_PATH } from './bench-estate.ts';
import { verificationRate } from './crypto-rates.ts';
import { prepareRequests } from './guest-requests.ts';
import type { Guest } from './guests.ts';
import { type Measurement, mean } from './measurement.ts';
import { measureLoad } from './run-load.ts';
import type { BenchServer } from './server-process.ts';

type MeasuredLoad = Awaited<ReturnType<typeof measureLoad>>;

/** So many requests a second are prepared for each second of a run: more than are answered, so that a run ends by itself. */
const PREPARED_PER_SECOND = { one: 500, many: 1800 } as const;
const WARM_UP = 1500;
/** Connections that keep both cores busy, so that a rate tells what a request costs and not how long it waits. */
export const SATURATING = 64;
const JSON_HEADERS = { 'content-type': 'application/json' };
const SNP_SHARE = 0.45;
const RESOURCES_PER_SECOND = 3000;
const RECORD_SHARE = 0.1;
/** At so many connections. */
const QUOTES = { connections: 16, perSecond: 1500, p99: 30 } as const;

/** SNP evidence becomes a token: each request with its own nonce and its own signed report, the chain known. */
export async function benchSnp(
  estate: BenchEstate,
  server: BenchServer,
  seconds: number,
  connectionCounts: readonly number[],
): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  for (const connections of connectionCounts) {
    const before = await verificationRate('P-384', 'sha384', 1);
    const measured = await measureAttestation(estate, server, estate.guests.snp, { connections, seconds });
    const limit = mean([before, await verificationRate('P-384', 'sha384', 1)]);
    const share = measured.perSecond / limit;
    const text = `${(share * 100).toFixed(0)} % of the ${Math.round(limit)} P-384 verifications a second`;
    measurements.push({
      ...measured,
      note: `${text}; ${measured.note ?? ''}`,
      ...(connections > 1 && {
        target: { text: `>= ${SNP_SHARE * 100} % of the limit`, met: share >= SNP_SHARE },
      }),
    });
  }
  return measurements;
}

/** Quotes of Intel's become tokens, the collateral known: each request with its own nonce and its own signed quote. */
export async function benchQuotes(
  estate: BenchEstate,
  server: BenchServer,
  tee: 'tdx' | 'sgx',
  seconds: number,
  connectionCounts: readonly number[],
): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  for (const connections of connectionCounts) {
    const measured = await measureAttestation(estate, server, estate.guests[tee], { connections, seconds });
    const met = measured.perSecond >= QUOTES.perSecond && measured.p99 < QUOTES.p99;
    const text = `>= ${QUOTES.perSecond}/s, p99 < ${QUOTES.p99} ms`;
    measurements.push({ ...measured, ...(connections === QUOTES.connections && { target: { text, met } }) });
  }
  return measurements;
}

/** How much is sent. */
export interface Extent {
  readonly connections: number;
  /** Roughly: so many requests are prepared as are answered in that time. */
  readonly seconds: number;
  /** What is to be prepared for each second; else what small evidence needs. */
  readonly preparedPerSecond?: number;
}

/** Evidence of a guest becomes a token, again and again. */
export async function measureAttestation(
  { teeKey }: Pick<BenchEstate, 'teeKey'>,
  server: BenchServer,
  guest: Guest,
  { connections, seconds, preparedPerSecond }: Extent,
): Promise<MeasuredLoad> {
  const perSecond = preparedPerSecond ?? PREPARED_PER_SECOND[connections === 1 ? 'one' : 'many'];
  const warmUp = Math.min(WARM_UP, perSecond) / (connections === 1 ? 5 : 1);
  const bodies = await prepareRequests(server.address, guest, teeKey, warmUp + seconds * perSecond);
  return await measureLoad(`${guest.name} -> token, ${connections} connections`, server, {
    method: 'POST',
    path: '/attestation',
    headers: JSON_HEADERS,
    connections,
    warmUp,
    what: { bodies },
  });
}

/** A token opens a resource of 1 KiB, which is sealed to a P-256 key. */
export async function benchResource(
  estate: BenchEstate,
  server: BenchServer,
  seconds: number,
  connectionCounts: readonly number[],
): Promise<readonly Measurement[]> {
  const token = await fetchToken(estate, server);
  const measurements: Measurement[] = [];
  for (const connections of connectionCounts) {
    const measured = await measureResource(server, token, connections, seconds);
    const met = measured.perSecond >= RESOURCES_PER_SECOND;
    measurements.push(
      connections === 1 ? measured : { ...measured, target: { text: `>= ${RESOURCES_PER_SECOND}/s`, met } },
    );
  }
  return measurements;
}

export async function measureResource(
  server: BenchServer,
  token: string,
  connections: number,
  seconds: number,
): Promise<MeasuredLoad> {
  return await measureLoad(`token -> resource, ${connections} connections`, server, {
    method: 'GET',
    path: RESOURCE_PATH,
    headers: { authorization: `Bearer ${token}` },
    connections,
    warmUp: connections * 200,
    what: { seconds },
  });
}

/** A token for the TEE key of the estate, from SNP evidence. */
export async function fetchToken({ guests, teeKey }: BenchEstate, server: BenchServer): Promise<string> {
  const [body = ''] = await prepareRequests(server.address, guests.snp, teeKey, 1);
  const reply = await fetch(`${server.address}/attestation`, { method: 'POST', headers: JSON_HEADERS, body });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`expected a token, got ${reply.status}: ${text}`);
  return text;
}

/** What a second server, which leaves no record, does faster: both in turns, since the machine is never quite the same. */
export async function benchRecord(
  estate: BenchEstate,
  rounds: number,
  seconds: number,
): Promise<readonly Measurement[]> {
  const { server: recording, database } = await estate.provide('record');
  const silent = await estate.serve(database, ['--import', import.meta.resolve('./without-record.ts')]);
  const token = await fetchToken(estate, recording);
  return [
    await compareInTurns(
      'audit record, token -> resource',
      rounds,
      async (which) =>
        await measureResource(which === 'changed' ? recording : silent, token, SATURATING, seconds),
    ),
    await compareInTurns(
      'audit record, SNP evidence -> token',
      rounds,
      async (which) =>
        await measureAttestation(estate, which === 'changed' ? recording : silent, estate.guests.snp, {
          connections: SATURATING,
          seconds,
        }),
    ),
  ].map((one) => withTarget(one, RECORD_SHARE));
}

/** By how much the changed one costs more a request than the plain one, of a machine that both keep busy. */
export async function compareInTurns(
  name: string,
  rounds: number,
  measure: (which: 'plain' | 'changed') => Promise<MeasuredLoad>,
): Promise<Measurement & { readonly share: number }> {
  const rates = { plain: [] as number[], changed: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (['plain', 'changed'] as const) : (['changed', 'plain'] as const);
    for (const which of order) rates[which].push((await measure(which)).perSecond);
  }
  const plain = mean(rates.plain);
  const changed = mean(rates.changed);
  const share = plain / changed - 1;
  return {
    name,
    share,
    value: { amount: share * 100, unit: '% more' },
    note: `${Math.round(plain)}/s without, ${Math.round(changed)}/s with; ${rounds} turns each`,
  };
}

export function withTarget(
  { share, ...measurement }: Measurement & { readonly share: number },
  atMost: number,
): Measurement {
  return { ...measurement, target: { text: `<= ${atMost * 100} %`, met: share <= atMost } };
}
