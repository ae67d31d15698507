import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Credentials, ObtainCredentials } from '../../../agent/kbs-client/credentials.ts';
import { fetchResource } from '../../../agent/kbs-client/fetch-resource.ts';
import { parseResourceUri } from '../../../agent/resource-uri.ts';
import { createTeeKey, type TeeKey } from '../../../agent/tee-key/tee-key.ts';
import { seal } from '../../../server/kbs/seal.ts';
import { parseTeePublicKey } from '../../../server/token/tee-public-key.ts';
import { plainServer, QUICK } from '../../fakes/fake-guest.ts';
import {
  json,
  kbsRefusal,
  type Script,
  type ScriptedReply,
  type ScriptedServer,
  startScriptedServer,
} from '../../fakes/scripted-server.ts';

let key: TeeKey;
let sealed: object;
const open: ScriptedServer[] = [];

beforeAll(async () => {
  key = await createTeeKey();
  sealed = await seal(Buffer.from('secret'), parseTeePublicKey(key.publicJwk));
});
afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async (server) => {
      await server.close();
    }),
  );
});

/** Credentials with a number, so that a test sees how often they were renewed. */
function numbered(): { obtain: ObtainCredentials; count: () => number } {
  let count = 0;
  const make = (): Credentials => ({ headers: { authorization: `Bearer ${++count}` }, key });
  let current = make();
  return {
    count: () => count,
    async obtain(refused) {
      if (refused === current) current = make();
      return current;
    },
  };
}

interface Outcome {
  readonly text: Promise<string>;
  readonly server: ScriptedServer;
  readonly renewals: () => number;
}

async function fetchFrom(script: Script, uri = 'kbs:///default/a/b', options = QUICK): Promise<Outcome> {
  const server = await startScriptedServer(script);
  open.push(server);
  const { obtain, count } = numbered();
  const content = fetchResource(parseResourceUri(uri), {
    server: plainServer(server.url),
    obtain,
    attempts: options,
  });
  const text = content.then((bytes) => Buffer.from(bytes).toString());
  text.catch(() => undefined); // each test awaits it when it is ready
  return { text, server, renewals: () => count() - 1 };
}

describe('what is asked', () => {
  test('plugin, path and query of the URI, with the token and the agent’s name', async () => {
    const { text, server } = await fetchFrom(() => json(sealed), 'kbs+plugin://host/a%20b/c?d=%26');
    expect(await text).toBe('secret');
    expect(server.seen).toMatchObject([
      {
        method: 'GET',
        path: '/kbs/v0/plugin/a%20b/c?d=%26',
        headers: { authorization: 'Bearer 1', 'user-agent': 'a guest under test' },
      },
    ]);
  });
});

describe('what a reply is', () => {
  test('other plugins may answer in plain (K9)', async () => {
    const plain = { headers: { 'content-type': 'text/xml' }, body: '<nebula/>' };
    expect(await (await fetchFrom(() => plain, 'kbs+nebula-ca:///a')).text).toBe('<nebula/>');
    const document = json({ plain: true });
    expect(await (await fetchFrom(() => document, 'kbs+nebula-ca:///a')).text).toBe('{"plain":true}');
  });

  test('a sealed reply of another plugin is opened', async () => {
    expect(await (await fetchFrom(() => json(sealed), 'kbs+pkcs11:///a')).text).toBe('secret');
  });

  test.each<[string, string, () => ScriptedReply]>([
    ['plain text for a resource', 'RESOURCE_NOT_SEALED', () => ({ body: 'secret' })],
    ['JSON that is not sealed', 'RESOURCE_NOT_SEALED', () => json({ secret: true })],
    ['JSON that is none', 'RESOURCE_NOT_SEALED', () => ({ ...json({}), body: '{' })],
    [
      'a resource that is too long',
      'REPLY_TOO_LARGE',
      () => ({ ...json({}), body: ' '.repeat((12 << 20) + 1) }),
    ],
    ['a redirect', 'REDIRECT_REFUSED', () => ({ status: 302, headers: { location: '/kbs/v0/resource/x' } })],
  ])('%s is refused with %s', async (_what, code, reply) => {
    const { text, server } = await fetchFrom(reply);
    await expect(text).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(1);
  });
});

const FINAL: readonly (readonly [string, string, ScriptedReply])[] = [
  ['upstream’s policy denial (K8)', 'POLICY_DENIED', kbsRefusal('PolicyDeny')],
  ['a policy that upstream cannot evaluate', 'POLICY_DENIED', kbsRefusal('PolicyEngineError')],
  [
    'our policy denial (K8)',
    'POLICY_DENIED',
    { ...kbsRefusal('X'), headers: { 'verigo-code': 'POLICY_DENIED' } },
  ],
  ['403', 'POLICY_DENIED', { status: 403, body: 'Forbidden' }],
  ['upstream’s missing resource (K2)', 'PLUGIN_FAILED', kbsRefusal('PluginInternalError')],
  ['our missing resource', 'RESOURCE_NOT_FOUND', kbsRefusal('PluginInternalError', 404)],
  ['a plugin that is not there', 'PLUGIN_NOT_FOUND', kbsRefusal('PluginNotFound', 404)],
  ['404 of something else (K2)', 'RESOURCE_NOT_FOUND', { status: 404, body: '<html>' }],
  ['a key that it cannot seal to', 'CREDENTIALS_REFUSED', kbsRefusal('JweError')],
  [
    'an issuer that it does not trust',
    'CREDENTIALS_REFUSED',
    { ...kbsRefusal('TokenVerifierError'), headers: { 'verigo-code': 'TOKEN_ISSUER_UNTRUSTED' } },
  ],
  [
    'a token without a key',
    'CREDENTIALS_REFUSED',
    { ...kbsRefusal('TokenVerifierError'), headers: { 'verigo-code': 'TEE_KEY_MISSING' } },
  ],
  ['a bad request', 'REQUEST_REFUSED', kbsRefusal('InvalidRequestPath', 400)],
];

describe('what is final: one request, no renewal', () => {
  test.each(FINAL)('%s: %s', async (_what, code, reply) => {
    const { text, server, renewals } = await fetchFrom(() => reply);
    await expect(text).rejects.toMatchObject({
      code,
      isTransient: false,
      statement: { status: reply.status },
    });
    expect([server.seen.length, renewals()]).toEqual([1, 0]);
  });
});

describe('what renewed credentials may mend', () => {
  test.each<[string, ScriptedReply]>([
    ['no token that upstream knows', kbsRefusal('TokenNotFound')],
    ['a token that upstream does not verify', kbsRefusal('TokenVerifierError')],
    [
      'a token that has expired',
      { ...kbsRefusal('TokenVerifierError'), headers: { 'verigo-code': 'TOKEN_EXPIRED' } },
    ],
    ['401 of something else (K2)', { status: 401, body: '<html>' }],
  ])('%s: renewed once, and then it goes well', async (_what, reply) => {
    const { text, server, renewals } = await fetchFrom((_request, count) =>
      count === 1 ? reply : json(sealed),
    );
    expect(await text).toBe('secret');
    expect(renewals()).toBe(1);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2']);
  });

  test('renewed once and not again', async () => {
    const { text, server, renewals } = await fetchFrom(() => kbsRefusal('TokenNotFound'));
    await expect(text).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect([server.seen.length, renewals()]).toEqual([2, 1]);
  });
});

describe('what is tried again with the same credentials', () => {
  test.each<[string, ScriptedReply]>([
    ['500', { status: 500, body: 'sorry' }],
    ['503', { status: 503, headers: { 'retry-after': '0' } }],
    ['429', { status: 429 }],
    ['a broken connection', { breaks: true }],
  ])('%s', async (_what, reply) => {
    const { text, server, renewals } = await fetchFrom((_request, count) =>
      count < 3 ? reply : json(sealed),
    );
    expect(await text).toBe('secret');
    expect([server.seen.length, renewals()]).toEqual([3, 0]);
  });

  test('until it is enough, and the last failure stands', async () => {
    const { text, server } = await fetchFrom(() => ({ status: 502 }));
    await expect(text).rejects.toMatchObject({ code: 'SERVER_FAILED', statement: { status: 502 } });
    expect(server.seen).toHaveLength(QUICK.retries + 1);
  });

  test('a server that hangs is left at the deadline', async () => {
    const options = { ...QUICK, attemptMilliseconds: 100, deadlineMilliseconds: 150 };
    const { text } = await fetchFrom(() => ({ hangs: true }), undefined, options);
    await expect(text).rejects.toMatchObject({ isTransient: true });
  });

  test('credentials that do not come are not waited for beyond the deadline', async () => {
    const server = plainServer('http://127.0.0.1:1');
    const obtain = async (): Promise<never> => await new Promise<never>(() => undefined);
    const attempts = { ...QUICK, deadlineMilliseconds: 50 };
    await expect(
      fetchResource(parseResourceUri('kbs:///a'), { server, obtain, attempts }),
    ).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
  });
});

test('what the server says is passed on in one line, and cut', async () => {
  const detail = `first\nsecond\u001b[31m${'x'.repeat(1000)}`;
  const { text } = await fetchFrom(() =>
    json({ type: 'https://github.com/confidential-containers/kbs/errors/PolicyDeny', detail }, 401, {
      'verigo-decision-id': 'decision',
    }),
  );
  const error = (await text.catch((reason: unknown) => reason)) as Error & { statement: object };
  expect(error.message).toMatch(/^127\.0\.0\.1:\d+ answered 401: first second \[31mx+$/);
  expect(error.message.length).toBeLessThan(600);
  expect(error.statement).toMatchObject({ serverCode: 'PolicyDeny', decisionId: 'decision' });
});
