import { createOpaFinder } from '../server/policy/find-opa.ts';
import { startSharedPostgres } from './fakes/test-database.ts';

/**
 * Starts what every test file shares: one Postgres, whose address reaches the tests through the environment; and finds
 * OPA, which the first run on a machine builds, so that no test waits for that.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const findOpa = createOpaFinder({
    configuredPath: process.env['VERIGO_OPA'],
    environment: process.env,
    onProgress: (line) => {
      console.error(line);
    },
  });
  process.env['VERIGO_OPA'] = (await findOpa()).path;
  const postgres = await startSharedPostgres();
  process.env['TEST_DATABASE_URL'] = postgres.url;
  return async () => {
    await postgres.stop();
  };
}
