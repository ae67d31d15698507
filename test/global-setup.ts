/** Starts what every test file shares: one Postgres. Its address reaches the tests through the environment. */
export default async function setup(): Promise<() => Promise<void>> {
  const { startSharedPostgres } = await import('./fakes/test-database.ts');
  const postgres = await startSharedPostgres();
  process.env['TEST_DATABASE_URL'] = postgres.url;
  return async () => {
    await postgres.stop();
  };
}
