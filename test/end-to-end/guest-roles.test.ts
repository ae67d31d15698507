import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAdministrator } from '../harness/administrator.ts';
import {
  type AgentFolder,
  type AgentProcess,
  agentFolder,
  runAgent,
  serveAgent,
} from '../harness/agent-process.ts';
import { send } from '../harness/http.ts';
import { resourcePolicy } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/disk/passphrase';

let verigo: RunningVerigo;
let place: AgentFolder;
let agent: AgentProcess;
let front: string;

beforeAll(async () => {
  verigo = await startVerigo();
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, 'correct horse');
  await administrator.postResourcePolicy(resourcePolicy(true));
  place = agentFolder(verigo.url);
  const hub = `unix://${place.folder}/run/cdh.sock`;
  const config = join(place.folder, 'cdh.toml');
  const document = { socket: hub, aa: { aa_socket: place.socket }, kbc: { name: 'cc_kbc', url: verigo.url } };
  writeFileSync(config, stringify(document));
  const bind = `127.0.0.1:${await freePort()}`;
  front = `http://${bind}`;
  const flags = ['-c', place.config, '-a', place.socket, '--cdh-config', config, '-b', bind, '-f', 'all'];
  const peers = ['--cdh_addr', hub, '--aa_addr', place.socket];
  agent = await serveAgent(place.folder, ['--roles', 'aa,cdh,rest', ...flags, ...peers]);
});
afterAll(async () => {
  expect(await agent.stop()).toBe(0);
  place.remove();
  await verigo.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return address.port;
}

test('a workload gets its secret by HTTP, through hub and agent, attested on the way', async () => {
  expect(await send(front, `/cdh/resource/${RESOURCE}`)).toMatchObject({
    status: 200,
    text: 'correct horse',
  });
  expect((await send(front, '/info')).json()).toMatchObject({ tee: 'sample', feature: 'all' });
  expect(await send(front, '/cdh/resource/default/disk/none')).toMatchObject({ status: 404 });
});

test('one attestation serves many resources', async () => {
  const attestations = async () => {
    const reply = await send(verigo.url, '/api/v1/decisions?kind=attestation&limit=100', {
      token: await verigo.adminToken(),
    });
    return (reply.json() as { items: unknown[] }).items.length;
  };
  const before = await attestations();
  for (let count = 0; count < 5; count++) await send(front, `/cdh/resource/${RESOURCE}`);
  expect(await attestations()).toBe(before);
});

test('nothing that it logs is the secret, or a token', async () => {
  await send(front, '/aa/token?token_type=kbs');
  expect(agent.log()).not.toMatch(/correct horse|eyJ|PRIVATE KEY/);
});

test('a role without what it needs is refused before anything starts', async () => {
  const run = async (...flags: readonly string[]) =>
    await runAgent(place.folder, ['serve', '--roles', ...flags]);
  expect(await run('cdh')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--cdh-config') as string,
  });
  expect(await run('rest', '-f', 'everything')).toMatchObject({ code: 2 });
  expect(await run('router')).toMatchObject({ code: 2 });
});
