import type { Generated, JSONColumnType, Kysely } from 'kysely';
import type { JsonObject } from '../claims/claims.ts';

/** The tables, as `migrations/` makes them. `sealed` columns hold what at-rest.ts encrypted. */
export interface Tables {
  /** One row a topic; its version grows with each change, so that replicas can poll. */
  change_topic: { topic: string; version: string };
  data_key: { id: string; master_key_id: string; wrapped: Uint8Array; created_at: Date };
  /** `purpose`: what the key is for; the newest of a purpose is used, older ones are still accepted. */
  server_key: {
    id: string;
    purpose: 'token-signing' | 'freshness';
    sealed: Uint8Array;
    /** Public JWK of a token-signing key; null for a symmetric one. */
    public_jwk: JSONColumnType<JsonObject> | null;
    created_at: Date;
  };
  spent_nonce: { hash: Uint8Array; expires_at: Date };
  kbs_session: { id_hash: Uint8Array; sealed_token: Uint8Array; expires_at: Date };
  resource: { path: string; sealed: Uint8Array; size: number; updated_at: Date };
  policy_version: {
    id: string;
    kind: 'attestation' | 'resource';
    name: string;
    source: string;
    source_sha384: string;
    module: Uint8Array;
    entrypoints: JSONColumnType<readonly string[]>;
    compiler: string;
    author: string;
    created_at: Date;
  };
  /** Which version of a policy is in force. */
  policy: { kind: 'attestation' | 'resource'; name: string; version_id: string; updated_at: Date };
  reference_value: {
    name: string;
    /** Any JSON; wrapped as {"value": …} so that a JSON null is not an SQL NULL. */
    value: JSONColumnType<JsonObject>;
    expires_at: Date | null;
    author: string;
    updated_at: Date;
  };
  collateral: {
    kind: string;
    key: string;
    body: Uint8Array;
    expires_at: Date | null;
    source: 'fetched' | 'imported';
    stored_at: Date;
  };
  decision: {
    /** UUID version 7: sorts by time. */
    id: string;
    at: Date;
    kind: string;
    outcome: string;
    code: string | null;
    subject: string;
    policy: string | null;
    policy_sha384: string | null;
    evidence_sha256: string | null;
    detail: JSONColumnType<JsonObject>;
    stored_at: Generated<Date>;
  };
}

export type Db = Kysely<Tables>;
