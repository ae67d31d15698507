import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Changes } from '../storage/changes.ts';
import type { Db } from '../storage/database.ts';
import type { PolicyKind, PolicyName, PolicyRule } from './policy.ts';

/** One version of a policy. It never changes. */
export interface PolicyVersion {
  readonly kind: PolicyKind;
  readonly name: string;
  /** Rego. */
  readonly source: string;
  readonly sourceSha384: string;
  /** WebAssembly. */
  readonly module: Uint8Array;
  /** The rules of the contract that the policy defines. */
  readonly rules: readonly PolicyRule[];
  readonly compiler: string;
  readonly author: string;
  readonly createdAt: Date;
}

export interface PolicyVersionSummary {
  readonly id: string;
  readonly kind: PolicyKind;
  readonly name: string;
  readonly sha384: string;
  readonly compiler: string;
  readonly author: string;
  readonly createdAt: Date;
}

/** A policy in force. */
export interface PolicySummary extends PolicyVersionSummary {
  /** Since when this version is in force. */
  readonly updatedAt: Date;
}

export interface PolicyRepository {
  /** Stores a version and puts it in force, in one step. */
  put(version: PolicyVersion): Promise<void>;
  /** As `put` where no version of that name is in force; else changes nothing. Whether it did. */
  putIfAbsent(version: PolicyVersion): Promise<boolean>;
  /** The version in force. */
  findActive(kind: PolicyKind, name: PolicyName): Promise<PolicyVersion | undefined>;
  /** Every policy in force, by kind and name. */
  listActive(): Promise<readonly PolicySummary[]>;
  /** Newest first. */
  listVersions(kind: PolicyKind, name: PolicyName, limit: number): Promise<readonly PolicyVersionSummary[]>;
}

const rulesSchema = z.array(z.enum(['trust_claims', 'extensions', 'allow']));
const SUMMARY = [
  'policy_version.id',
  'policy_version.kind',
  'policy_version.name',
  'policy_version.source_sha384 as sha384',
  'policy_version.compiler',
  'policy_version.author',
  'policy_version.created_at as createdAt',
] as const;

export function createPolicyRepository(db: Db, changes: Pick<Changes, 'announce'>): PolicyRepository {
  return {
    async put(version) {
      await db.transaction().execute(async (transaction) => {
        const inForce = {
          version_id: await insertVersion(transaction, version),
          updated_at: version.createdAt,
        };
        await transaction
          .insertInto('policy')
          .values({ kind: version.kind, name: version.name, ...inForce })
          .onConflict((conflict) => conflict.columns(['kind', 'name']).doUpdateSet(inForce))
          .execute();
        await changes.announce(transaction, 'policy');
      });
    },
    async putIfAbsent(version) {
      return await putIfAbsent(db, changes, version);
    },
    async findActive(kind, name) {
      return await findActive(db, kind, name);
    },
    async listActive() {
      return await db
        .selectFrom('policy')
        .innerJoin('policy_version', 'policy_version.id', 'policy.version_id')
        .select([...SUMMARY, 'policy.updated_at as updatedAt'])
        .orderBy('policy.kind')
        .orderBy('policy.name')
        .execute();
    },
    async listVersions(kind, name, limit) {
      return await db
        .selectFrom('policy_version')
        .select(SUMMARY)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(limit)
        .execute();
    },
  };
}

async function findActive(db: Db, kind: PolicyKind, name: PolicyName): Promise<PolicyVersion | undefined> {
  const row = await db
    .selectFrom('policy')
    .innerJoin('policy_version', 'policy_version.id', 'policy.version_id')
    .selectAll('policy_version')
    .where('policy.kind', '=', kind)
    .where('policy.name', '=', name)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { source, module, compiler, author } = row;
  return {
    kind,
    name: row.name,
    source,
    sourceSha384: row.source_sha384,
    module,
    rules: rulesSchema.parse(row.entrypoints),
    compiler,
    author,
    createdAt: row.created_at,
  };
}

/** Two replicas that start at once both try; the row that is there first stays, and the other's version with it goes. */
async function putIfAbsent(
  db: Db,
  changes: Pick<Changes, 'announce'>,
  version: PolicyVersion,
): Promise<boolean> {
  return await db.transaction().execute(async (transaction) => {
    const id = await insertVersion(transaction, version);
    const { numInsertedOrUpdatedRows = 0n } = await transaction
      .insertInto('policy')
      .values({ kind: version.kind, name: version.name, version_id: id, updated_at: version.createdAt })
      .onConflict((conflict) => conflict.columns(['kind', 'name']).doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 0n) {
      await transaction.deleteFrom('policy_version').where('id', '=', id).execute();
      return false;
    }
    await changes.announce(transaction, 'policy');
    return true;
  });
}

async function insertVersion(transaction: Db, version: PolicyVersion): Promise<string> {
  const id = randomUUID();
  await transaction
    .insertInto('policy_version')
    .values({
      id,
      kind: version.kind,
      name: version.name,
      source: version.source,
      source_sha384: version.sourceSha384,
      module: version.module,
      entrypoints: JSON.stringify(version.rules),
      compiler: version.compiler,
      author: version.author,
      created_at: version.createdAt,
    })
    .execute();
  return id;
}
