import { type Kysely, sql } from 'kysely';

/** The first shape of the database. Frozen: later changes are further migrations. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table change_topic (topic text primary key, version bigint not null)`.execute(db);
  await sql`create table data_key (
    id uuid primary key, master_key_id text not null, wrapped bytea not null, created_at timestamptz not null)`.execute(
    db,
  );
  await sql`create table server_key (
    id text primary key, purpose text not null, sealed bytea not null, public_jwk jsonb, created_at timestamptz not null)`.execute(
    db,
  );
  await sql`create table spent_nonce (hash bytea primary key, expires_at timestamptz not null)`.execute(db);
  await sql`create index spent_nonce_expires_at on spent_nonce (expires_at)`.execute(db);
  await sql`create table kbs_session (
    id_hash bytea primary key, sealed_token bytea not null, expires_at timestamptz not null)`.execute(db);
  await sql`create index kbs_session_expires_at on kbs_session (expires_at)`.execute(db);
  await sql`create table resource (
    path text primary key, sealed bytea not null, size integer not null, updated_at timestamptz not null)`.execute(
    db,
  );
  await sql`create table policy_version (
    id uuid primary key, kind text not null, name text not null, source text not null, source_sha384 text not null,
    module bytea not null, entrypoints jsonb not null, compiler text not null, author text not null,
    created_at timestamptz not null)`.execute(db);
  await sql`create index policy_version_name on policy_version (kind, name, created_at)`.execute(db);
  await sql`create table policy (
    kind text not null, name text not null, version_id uuid not null references policy_version (id),
    updated_at timestamptz not null, primary key (kind, name))`.execute(db);
  await sql`create table reference_value (
    name text primary key, value jsonb not null, expires_at timestamptz, author text not null,
    updated_at timestamptz not null)`.execute(db);
  await sql`create table collateral (
    kind text not null, key text not null, body bytea not null, expires_at timestamptz, source text not null,
    stored_at timestamptz not null, primary key (kind, key))`.execute(db);
  await sql`create table decision (
    id uuid primary key, at timestamptz not null, kind text not null, outcome text not null, code text,
    subject text not null, policy text, policy_sha384 text, evidence_sha256 text, detail jsonb not null,
    stored_at timestamptz not null default now())`.execute(db);
  await sql`create index decision_kind on decision (kind, id)`.execute(db);
  await sql`create index decision_outcome on decision (outcome, id)`.execute(db);
}
