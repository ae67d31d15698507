import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadAdminKey, mintAdminToken } from '../../server/admin/admin-key.ts';
import { compose } from '../../server/compose.ts';
import { adminKeyFile } from '../../server/composition/administrators.ts';
import { loadConfig } from '../../server/config/load-config.ts';
import { connect } from '../../server/storage/connect.ts';
import { createTestDatabase, startSharedPostgres } from '../fakes/test-database.ts';

/** Under which circumstances a case is judged. */
export interface Circumstances {
  readonly at: Date;
  readonly revocation: 'required' | 'when-available';
  readonly maxStaleSeconds: number;
  /** SHA-256 of the public keys of TPMs, hex. */
  readonly trustedAks: readonly string[];
  /** PEM files of certificates in place of the vendors' roots; empty: the vendors'. */
  readonly roots: readonly string[];
}

export interface CaseServer {
  importCollateral(items: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Promise<void>;
  post(path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }>;
  close(): Promise<void>;
}

/** A listening server for one case. */
export type ServeAt = (circumstances: Circumstances) => Promise<CaseServer>;

/** One database for all cases, emptied of collateral before each; a server of its own for each. */
export async function withServers<Result>(use: (serveAt: ServeAt) => Promise<Result>): Promise<Result> {
  const dataDir = mkdtempSync(join(tmpdir(), 'verigo-conformance-'));
  const postgres = await startSharedPostgres();
  process.env['TEST_DATABASE_URL'] = postgres.url;
  const database = await createTestDatabase();
  try {
    return await use(async (circumstances) => await serve(circumstances, database.url, dataDir));
  } finally {
    await database.drop();
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function serve(
  { at, revocation, maxStaleSeconds, trustedAks, roots }: Circumstances,
  url: string,
  dataDir: string,
): Promise<CaseServer> {
  const db = connect(url, { poolSize: 1 });
  await db.deleteFrom('collateral').execute();
  await db.destroy();
  const config = loadConfig({
    cwd: dataDir,
    env: {
      DATABASE_URL: url,
      VERIGO_DATA_DIR: dataDir,
      VERIGO_HTTP__PORT: '0',
      VERIGO_COLLATERAL__REVOCATION: revocation,
      VERIGO_COLLATERAL__MAX_STALE_SECONDS: String(maxStaleSeconds),
      VERIGO_COLLATERAL__INTEL__URL: '',
      VERIGO_VERIFIERS__SNP__KDS_URL: '',
      VERIGO_VERIFIERS__TPM__TRUSTED_AKS: JSON.stringify(trustedAks),
      VERIGO_VERIFIERS__DANGEROUSLY_ACCEPT_SAMPLE_EVIDENCE: 'true',
      VERIGO_VERIFIERS__DANGEROUSLY_REPLACE_VENDOR_ROOTS: JSON.stringify(roots),
      ...(process.env['VERIGO_OPA'] !== undefined && { VERIGO_OPA: process.env['VERIGO_OPA'] }),
    },
  });
  const verigo = await compose(config, {
    clock: () => at,
    fetch: refuseToFetch,
    log: pino({ level: 'silent' }),
    environment: process.env,
    onProgress: (line) => {
      process.stderr.write(`${line}\n`);
    },
    policyFolder: join(import.meta.dirname, '../../policies'),
  });
  const address = await verigo.app.listen({ host: '127.0.0.1', port: 0 });
  const send = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${address}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  return {
    post: send,
    async importCollateral(items) {
      if (items.length === 0) return;
      const key = await loadAdminKey(adminKeyFile(config));
      const token = mintAdminToken(key, { role: 'admin', subject: 'conformance', lifetimeSeconds: 60, at });
      const reply = await send(
        '/api/v1/collateral/import',
        { items: items.map(({ name, bytes }) => ({ name, body: Buffer.from(bytes).toString('base64') })) },
        { authorization: `Bearer ${token}` },
      );
      if (reply.status !== 200) throw new Error(`the collateral was not imported: ${reply.text}`);
    },
    close: async () => {
      await verigo.close();
    },
  };
}

async function refuseToFetch(): Promise<never> {
  throw new TypeError('nothing is fetched in a conformance run');
}
