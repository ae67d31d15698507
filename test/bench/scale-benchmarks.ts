import { addDecisions, addPolicies } from './bench-database.ts';
import type { BenchEstate } from './bench-estate.ts';
import {
  compareInTurns,
  fetchToken,
  measureAttestation,
  measureResource,
  SATURATING,
  withTarget,
} from './http-benchmarks.ts';
import type { Measurement } from './measurement.ts';

const POLICIES = 1000;
const AT_MOST = 0.1;

/** A database with many policies and a long record against an empty one, in turns. */
export async function benchScale(
  estate: BenchEstate,
  rounds: number,
  seconds: number,
  decisions: number,
): Promise<readonly Measurement[]> {
  const small = await estate.provide('small');
  const large = await estate.provide('large');
  await addPolicies(large.database, POLICIES);
  await addDecisions(large.database, decisions);
  const servers = { plain: small.server, changed: large.server };
  const tokens = {
    plain: await fetchToken(estate, small.server),
    changed: await fetchToken(estate, large.server),
  };
  const what = `${POLICIES.toLocaleString('en')} policies, ${decisions.toLocaleString('en')} decisions`;
  return [
    await compareInTurns(
      `${what}: token -> resource`,
      rounds,
      async (which) => await measureResource(servers[which], tokens[which], SATURATING, seconds),
    ),
    await compareInTurns(
      `${what}: SNP evidence -> token`,
      rounds,
      async (which) =>
        await measureAttestation(estate, servers[which], estate.guests.snp, {
          connections: SATURATING,
          seconds,
        }),
    ),
  ].map((one) => withTarget(one, AT_MOST));
}
