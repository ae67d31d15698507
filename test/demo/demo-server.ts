import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadAdminKey, mintAdminToken } from '../../server/admin/admin-key.ts';
import { type ApiClient, createApiClient } from '../../server/cli/api-client.ts';
import { systemClock } from '../../server/clock.ts';
import { compose } from '../../server/compose.ts';
import { adminKeyFile } from '../../server/composition/administrators.ts';
import { loadConfig } from '../../server/config/load-config.ts';

export interface DemoServer {
  readonly address: string;
  readonly api: ApiClient;
  readonly adminToken: string;
  close(): Promise<void>;
}

/** A whole server on a free port, with a Postgres of its own, in a folder that is gone afterwards. */
export async function startDemoServer(
  rootsPem: string | undefined,
  say: (line: string) => void,
): Promise<DemoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'verigo-demo-'));
  const roots: string[] = [];
  if (rootsPem !== undefined) {
    roots.push(join(folder, 'roots.pem'));
    writeFileSync(join(folder, 'roots.pem'), rootsPem);
  }
  const config = loadConfig({
    cwd: folder,
    env: {
      VERIGO_DATA_DIR: join(folder, 'data'),
      VERIGO_VERIFIERS__DANGEROUSLY_ACCEPT_SAMPLE_EVIDENCE: 'true',
      VERIGO_VERIFIERS__DANGEROUSLY_REPLACE_VENDOR_ROOTS: JSON.stringify(roots),
      VERIGO_VERIFIERS__SNP__KDS_URL: '',
      VERIGO_COLLATERAL__REVOCATION: 'when-available',
      ...(process.env['VERIGO_OPA'] !== undefined && { VERIGO_OPA: process.env['VERIGO_OPA'] }),
    },
  });
  const verigo = await compose(config, {
    clock: systemClock,
    fetch: globalThis.fetch,
    log: pino({ level: 'warn' }, pino.destination(2)),
    environment: process.env,
    onProgress: say,
    policyFolder: join(import.meta.dirname, '../../policies'),
  });
  const address = await verigo.app.listen({ host: '127.0.0.1', port: 0 });
  const adminToken = mintAdminToken(await loadAdminKey(adminKeyFile(config)), {
    role: 'admin',
    subject: 'demo',
    lifetimeSeconds: 600,
    at: systemClock(),
  });
  return {
    address,
    api: createApiClient(address),
    adminToken,
    async close() {
      await verigo.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
