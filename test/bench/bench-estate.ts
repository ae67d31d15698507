import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAdminKey, mintAdminToken } from '../../server/admin/admin-key.ts';
import { toBase64 } from '../../server/bytes/encoding.ts';
import { createTeeKey } from '../../server/cli/tee-key.ts';
import { systemClock } from '../../server/clock.ts';
import { createFakeAmd } from '../fakes/fake-amd.ts';
import {
  type BenchDatabase,
  type BenchPostgres,
  setReferenceValues,
  startBenchPostgres,
} from './bench-database.ts';
import { type BenchIntel, createBenchIntel } from './bench-intel.ts';
import { type Guest, REFERENCE_VALUES, sampleGuest, sgxGuest, snpGuest, tdxGuest } from './guests.ts';
import { type BenchServer, startBenchServer } from './server-process.ts';

/** What all benchmarks work on: one Postgres, guests on hardware of their vendors, and as many servers as they ask for. */
export interface BenchEstate {
  readonly postgres: BenchPostgres;
  readonly intel: BenchIntel;
  readonly guests: Readonly<Record<'snp' | 'tdx' | 'sgx' | 'sample', Guest>>;
  /** Of all guests. */
  readonly teeKey: ReturnType<typeof createTeeKey>['publicJwk'];
  /** A database in which the evidence of `guests.ts` is affirmed, and a server on it. */
  provide(name: string): Promise<ProvidedServer>;
  /** A further server on a database that there is. */
  serve(database: BenchDatabase, nodeArguments?: readonly string[]): Promise<BenchServer>;
  close(): Promise<void>;
}

export interface ProvidedServer {
  readonly server: BenchServer;
  readonly database: BenchDatabase;
}

/** Where the resource is, of which `RESOURCE_BYTES` are released again and again. */
export const RESOURCE_PATH = '/kbs/v0/resource/default/bench/secret';
const RESOURCE_BYTES = 1024;

/** `profileFolder`: every server writes a CPU profile there when it ends. */
export async function createBenchEstate(profileFolder: string | undefined): Promise<BenchEstate> {
  const dataDir = await mkdtemp(join(tmpdir(), 'verigo-bench-'));
  const postgres = await startBenchPostgres();
  const amd = await createFakeAmd({}, ['Milan']);
  const intel = await createBenchIntel(systemClock());
  const rootsFile = join(dataDir, 'roots.pem');
  await writeFile(rootsFile, `${amd.pem('Milan')}\n${intel.root}`);
  const collateral = [{ name: 'milan.crl', bytes: await amd.revocationList('Milan') }, ...intel.collateral];
  const servers: BenchServer[] = [];

  const serve = async (
    database: BenchDatabase,
    nodeArguments: readonly string[] = [],
  ): Promise<BenchServer> => {
    const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
    const server = await startBenchServer({
      dataDir,
      databaseUrl: database.url,
      nodeArguments: [...profile, ...nodeArguments],
      settings: {
        VERIGO_ATTESTATION__NONCE: 'required',
        VERIGO_ATTESTATION__NONCE_LIFETIME_SECONDS: '3600',
        VERIGO_ATTESTATION__TOKEN_LIFETIME_SECONDS: '86400',
        VERIGO_COLLATERAL__INTEL__URL: '',
        VERIGO_VERIFIERS__SNP__KDS_URL: '',
        VERIGO_VERIFIERS__DANGEROUSLY_ACCEPT_SAMPLE_EVIDENCE: 'true',
        VERIGO_VERIFIERS__DANGEROUSLY_REPLACE_VENDOR_ROOTS: JSON.stringify([rootsFile]),
      },
    });
    servers.push(server);
    return server;
  };

  return {
    postgres,
    intel,
    guests: { snp: await snpGuest(amd), tdx: tdxGuest(intel), sgx: sgxGuest(intel), sample: sampleGuest },
    teeKey: createTeeKey().publicJwk,
    serve,
    async provide(name) {
      const database = await postgres.createDatabase(name);
      await setReferenceValues(database, REFERENCE_VALUES);
      const server = await serve(database);
      const token = mintAdminToken(await loadAdminKey(join(dataDir, 'admin.key')), {
        role: 'admin',
        subject: 'bench',
        lifetimeSeconds: 600,
        at: systemClock(),
      });
      const items = collateral.map(({ name: file, bytes }) => ({ name: file, body: toBase64(bytes) }));
      await post(`${server.address}/api/v1/collateral/import`, token, JSON.stringify({ items }));
      await post(`${server.address}${RESOURCE_PATH}`, token, new Uint8Array(RESOURCE_BYTES).fill(0x5e));
      return { server, database };
    },
    async close() {
      for (const server of servers) await server.stop();
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function post(url: string, token: string, body: string | Uint8Array<ArrayBuffer>): Promise<void> {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  const headers = { authorization: `Bearer ${token}`, 'content-type': type };
  const reply = await fetch(url, { method: 'POST', headers, body });
  if (!reply.ok) throw new Error(`POST ${url}: ${reply.status} ${await reply.text()}`);
}
