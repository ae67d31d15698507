import { afterEach, beforeAll, expect, test } from 'vitest';
import { createGetResource, type ResourceServer } from '../../../agent/kbs-client/resource-servers.ts';
import { createTeeKey, type TeeKey } from '../../../agent/tee-key/tee-key.ts';
import { plainServer, QUICK } from '../../fakes/fake-guest.ts';
import { kbsRefusal, type ScriptedServer, startScriptedServer } from '../../fakes/scripted-server.ts';

let key: TeeKey;
const open: ScriptedServer[] = [];

beforeAll(async () => {
  key = await createTeeKey();
});
afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async (server) => {
      await server.close();
    }),
  );
});

/** Answers with its name and the token that it was shown. */
async function named(name: string, plugins?: readonly string[]): Promise<ResourceServer> {
  const server = await startScriptedServer(({ headers }) => ({
    body: `${name} ${headers.authorization ?? ''}`,
  }));
  open.push(server);
  return {
    server: plainServer(server.url),
    obtain: async () => ({ headers: { authorization: `token of ${name}` }, key }),
    plugins,
  };
}

async function table(): Promise<ReadonlyMap<string, ResourceServer>> {
  return new Map([
    ['', await named('default')],
    ['vault.example:8200', await named('vault', ['kv', 'transit'])],
  ]);
}

test('each host has its server and its token', async () => {
  const getResource = createGetResource(await table(), { attempts: QUICK });
  const text = async (uri: string): Promise<string> => Buffer.from(await getResource(uri)).toString();
  expect(await text('kbs+any:///a')).toBe('default token of default');
  expect(await text('kbs+kv://VAULT.example:8200/a')).toBe('vault token of vault');
});

test.each([
  ['a host that is not in the table', 'kbs+kv://other.example/a', 'RESOURCE_SERVER_UNKNOWN'],
  ['the right host on another port', 'kbs+kv://vault.example/a', 'RESOURCE_SERVER_UNKNOWN'],
  ['a plugin that is not meant to be asked there', 'kbs://vault.example:8200/a', 'PLUGIN_NOT_ALLOWED'],
  ['a text that is no URI', 'vault', 'RESOURCE_URI_MALFORMED'],
])('%s is refused before anything is sent', async (_what, uri, code) => {
  const getResource = createGetResource(await table());
  await expect(getResource(uri)).rejects.toMatchObject({ code });
  expect(open.every(({ seen }) => seen.length === 0)).toBe(true);
});

test('without a default server, a URI needs a host', async () => {
  await expect(createGetResource(new Map())('kbs:///a')).rejects.toMatchObject({
    code: 'RESOURCE_SERVER_UNKNOWN',
  });
});

test('hosts that mean nothing go to the default server, where that is configured', async () => {
  const getResource = createGetResource(await table(), { unknownHost: 'default', attempts: QUICK });
  expect(Buffer.from(await getResource('kbs+any://other.example/a')).toString()).toBe(
    'default token of default',
  );
});

test('the refusal of one server is not asked of another', async () => {
  const refusing = await startScriptedServer(() => kbsRefusal('PolicyDeny'));
  open.push(refusing);
  const servers = new Map([...(await table())]);
  servers.set('no.example', { ...servers.get('')!, server: plainServer(refusing.url) });
  const getResource = createGetResource(servers, { unknownHost: 'default', attempts: QUICK });
  await expect(getResource('kbs://no.example/a')).rejects.toMatchObject({ code: 'POLICY_DENIED' });
  expect(open.map(({ seen }) => seen.length).toSorted()).toEqual([0, 0, 1]);
});
