import { sql } from 'kysely';
import type { Db } from '../../server/storage/database.ts';

/** What a request that is refused must leave as it was. `decision` and `spent_nonce` grow with refusals, and are left out. */
const TABLES = [
  'collateral',
  'data_key',
  'kbs_session',
  'policy',
  'policy_version',
  'reference_value',
  'resource',
  'server_key',
] as const;

/** A digest of everything that is kept, by table. */
export async function contentOf(db: Db): Promise<Readonly<Record<string, string>>> {
  const digests = TABLES.map(async (table) => {
    const { rows } = await sql<{ digest: string }>`
      select coalesce(md5(string_agg(t::text, ',' order by t::text)), 'empty') as digest from ${sql.table(table)} as t`.execute(
      db,
    );
    return [table, rows[0]?.digest ?? ''] as const;
  });
  return Object.fromEntries(await Promise.all(digests));
}
