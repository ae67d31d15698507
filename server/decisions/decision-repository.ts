import { sql } from 'kysely';
import type { JsonObject } from '../claims/claims.ts';
import type { Db } from '../storage/database.ts';
import type { Decision, DecisionKind } from './decision.ts';

export interface DecisionFilter {
  readonly kind?: DecisionKind | undefined;
  readonly outcome?: Decision['outcome'] | undefined;
  /** Only decisions older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** The record of decisions. Rows are added, never changed. */
export interface DecisionRepository {
  insert(decisions: readonly Decision[]): Promise<void>;
  find(id: string): Promise<Decision | undefined>;
  /** Newest first. */
  list(filter: DecisionFilter): Promise<readonly Decision[]>;
}

interface Row {
  readonly id: string;
  readonly at: Date;
  readonly kind: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly subject: string;
  readonly policy: string | null;
  readonly policy_sha384: string | null;
  readonly evidence_sha256: string | null;
  readonly detail: JsonObject;
}

/** JSON.stringify escapes exactly these; a backslash before them that is itself escaped makes them plain text. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/;
const UNSTORABLE_ESCAPES = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

export function createDecisionRepository(db: Db): DecisionRepository {
  return {
    async insert(decisions) {
      // One statement of one parameter, whatever the number of rows.
      await sql`insert into decision
          (id, at, kind, outcome, code, subject, policy, policy_sha384, evidence_sha256, detail)
        select id, at, kind, outcome, code, subject, policy, policy_sha384, evidence_sha256, detail
        from jsonb_to_recordset(${toStorableJson(decisions.map(toRow))}::jsonb) as t (
          id uuid, at timestamptz, kind text, outcome text, code text, subject text,
          policy text, policy_sha384 text, evidence_sha256 text, detail jsonb)`.execute(db);
    },
    async find(id) {
      const row = await db.selectFrom('decision').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : toDecision(row);
    },
    async list({ kind, outcome, before, limit }) {
      let query = db.selectFrom('decision').selectAll().orderBy('id', 'desc').limit(limit);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      if (outcome !== undefined) query = query.where('outcome', '=', outcome);
      if (before !== undefined) query = query.where('id', '<', before);
      return (await query.execute()).map(toDecision);
    },
  };
}

/**
 * Postgres stores neither NUL nor half of a surrogate pair, and both may come from whom the decision is about. They are
 * written as U+FFFD: a decision that cannot be recorded would be one that leaves no trace.
 */
function toStorableJson(rows: readonly unknown[]): string {
  const text = JSON.stringify(rows);
  return UNSTORABLE.test(text) ? text.replaceAll(UNSTORABLE_ESCAPES, '$1\\ufffd') : text;
}

function toRow(decision: Decision): Omit<Row, 'at'> & { readonly at: string } {
  return {
    id: decision.id,
    at: decision.at.toISOString(),
    kind: decision.kind,
    outcome: decision.outcome,
    code: decision.code ?? null,
    subject: decision.subject,
    policy: decision.policy?.name ?? null,
    policy_sha384: decision.policy?.sha384 ?? null,
    evidence_sha256: decision.evidenceSha256 ?? null,
    detail: decision.detail,
  };
}

function toDecision(row: Row): Decision {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind as DecisionKind,
    outcome: row.outcome as Decision['outcome'],
    code: row.code ?? undefined,
    subject: row.subject,
    policy:
      row.policy === null || row.policy_sha384 === null
        ? undefined
        : { name: row.policy, sha384: row.policy_sha384 },
    evidenceSha256: row.evidence_sha256 ?? undefined,
    detail: row.detail,
  };
}
