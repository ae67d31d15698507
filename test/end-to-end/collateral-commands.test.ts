import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFakeIntelSite, type FakeIntelSite, filesOf } from '../fakes/fake-intel-site.ts';
import { appraised, replyTo } from '../harness/guest.ts';
import { sgxSource, tdxSource } from '../harness/hardware-sources.ts';
import { send } from '../harness/http.ts';
import { type CommandRun, runCommand } from '../harness/run-command.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

/** A site without internet: its servers fetch nothing, and have to have revocation lists. */
const config = { collateral: { revocation: 'required' } };

let folder: string;
let site: FakeIntelSite;
let first: RunningVerigo;
let second: RunningVerigo;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verigo-site-'));
  site = await createFakeIntelSite();
  const options = { rootsPem: site.rootPem, config };
  [first, second] = await Promise.all([startVerigo(options), startVerigo(options)]);
});
afterAll(async () => {
  await Promise.all([first.close(), second.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** As the administrator of one of them, in the folder with the files. */
async function verigo(server: RunningVerigo, ...args: readonly string[]): Promise<CommandRun> {
  const environment = { VERIGO_SERVER: server.url, VERIGO_ADMIN_TOKEN: await server.adminToken() };
  return await runCommand(folder, args, { environment });
}
async function done(server: RunningVerigo, ...args: readonly string[]): Promise<CommandRun> {
  const run = await verigo(server, ...args);
  expect(run.code, run.stderr).toBe(0);
  return run;
}
async function rowsOf(server: RunningVerigo): Promise<unknown> {
  const reply = await send(server.url, '/api/v1/collateral', { token: await server.adminToken() });
  const { items } = reply.json() as { items: { kind: string; key: string }[] };
  return items.map(({ kind, key }) => `${kind} ${key}`);
}

test("Intel's files, imported one by one, prove its machines; so do they where they were exported to", async () => {
  const files = filesOf(await site.content(new Date(Date.now())));
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  expect(await replyTo(first.url, tdxSource(site))).toMatchObject({
    status: 503,
    code: 'COLLATERAL_UNAVAILABLE',
  });

  await done(first, 'collateral', 'import', ...files.keys());
  expect(await rowsOf(first)).toEqual(
    expect.arrayContaining([
      'intel-tcb-info tdx/50806F000000/standard',
      'intel-tcb-info sgx/50806F000000/early',
      'intel-tcb-info sgx/50806F000000/17',
      'intel-qe-identity tdx/early',
      'intel-crl platform',
      'intel-crl processor',
      'intel-crl root',
      'intel-ca tcb-signing',
      'intel-ca root',
    ]),
  );
  const listed = (await done(first, 'collateral', 'list')).stdout;
  expect(listed).toMatch(/^intel-tcb-info +tdx\/50806F000000\/early +20\S+Z +imported$/m);
  for (const source of [tdxSource(site), sgxSource(site)]) {
    expect((await appraised(first.url, source)).claims).toMatchObject({
      tcb_status: 'UpToDate',
      revocation_status: 'good',
    });
  }

  await done(first, 'collateral', 'export', 'bundle.json');
  await done(second, 'collateral', 'import', 'bundle.json');
  expect(await rowsOf(second)).toEqual(await rowsOf(first));
  expect((await appraised(second.url, tdxSource(site, { version: 5 }))).claims).toMatchObject({
    tcb_status: 'UpToDate',
  });
});

test('what is none of it is refused, and nothing of that import is kept', async () => {
  const before = await rowsOf(first);
  const later = filesOf(await site.content(new Date(Date.now() + 60_000), { fmspc: '00906ED50000' }));
  writeFileSync(join(folder, 'good.json'), later.get('tcb-info-tdx-00906ED50000.json')!);
  writeFileSync(join(folder, 'bad.json'), '{"tcbInfo":{"id":"TDX"},"signature":"00"}');
  const run = await verigo(first, 'collateral', 'import', 'good.json', 'bad.json');
  expect(run.code).toBe(1);
  expect(run.stderr).toMatch(/^error COLLATERAL_UNRECOGNIZED: .*'bad\.json'/);
  expect(await rowsOf(first)).toEqual(before);
});
