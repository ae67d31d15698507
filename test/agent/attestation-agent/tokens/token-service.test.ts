import { afterEach, describe, expect, test } from 'vitest';
import {
  createTokenService,
  type TokenService,
  type TokenSource,
} from '../../../../agent/attestation-agent/tokens/token-service.ts';
import { fingerprintOf, parseBoundToken } from '../../../../agent/binding/bound-token-text.ts';
import { createAgentTokens } from '../../../../agent/kbs-client/agent-tokens.ts';
import type { JsonObject } from '../../../../server/claims/claims.ts';
import { systemClock } from '../../../../server/clock.ts';
import { fakeGuest, plainServer, QUICK } from '../../../fakes/fake-guest.ts';
import { boundClaims, fakeToken } from '../../../fakes/fake-token.ts';
import { json, type ScriptedServer, startScriptedServer } from '../../../fakes/scripted-server.ts';

const LIFETIME = { renewBeforeSeconds: 30, skewSeconds: 60 };
const open: ScriptedServer[] = [];

afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async (server) => {
      await server.close();
    }),
  );
});

/** Attestation service and key broker at once, which say in the token who they are and which it was. */
async function startIssuer(name: string, state: { down?: boolean } = {}): Promise<ScriptedServer> {
  const server = await startScriptedServer(({ path, text }, count) => {
    if (state.down === true) return { status: 401, body: '' };
    if (path === '/challenge') return { body: 'nonce' };
    if (path === '/kbs/v0/auth') {
      return json({ nonce: 'n', 'extra-params': '' }, 200, {
        'set-cookie': `kbs-session-id=${name}${count}`,
      });
    }
    const key = /"tee-pubkey":(\{[^}]*\})/.exec(text)?.[1] ?? '{}';
    const claims = { ...boundClaims(JSON.parse(key) as JsonObject, new Date()), iss: `${name} ${count}` };
    return path === '/attestation' ? { body: fakeToken(claims) } : json({ token: fakeToken(claims) });
  });
  open.push(server);
  return server;
}

function issuerOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { iss: string }).iss;
}

async function start(sources: Readonly<Record<string, TokenSource>> = {}): Promise<{
  readonly tokens: TokenService;
  readonly issuers: Readonly<Record<'first' | 'second' | 'broker', ScriptedServer>>;
}> {
  const issuers = {
    first: await startIssuer('first'),
    second: await startIssuer('second'),
    broker: await startIssuer('broker'),
  };
  const tokens = createTokenService({
    guest: fakeGuest(),
    attestationServices: new Map([
      ['default', { server: plainServer(issuers.first.url) }],
      ['second', { server: plainServer(issuers.second.url) }],
    ]),
    resourceServers: new Map(
      Object.entries(sources).map(([host, tokenSource]) => [
        host,
        { server: plainServer(issuers.broker.url), tokenSource },
      ]),
    ),
    attempts: QUICK,
  });
  return { tokens, issuers };
}

function tokenIn(text: string): string {
  return (JSON.parse(text) as { token: string }).token;
}

const SOURCES = {
  '': { kind: 'background-check' },
  'passport.example': { kind: 'passport', attestationService: 'second' },
} as const satisfies Record<string, TokenSource>;

describe('whose token', () => {
  test('each type names its issuer; the bare and the bound form are one token', async () => {
    const { tokens } = await start(SOURCES);
    const bare = await tokens.getToken('coco_as');
    expect(issuerOf(bare)).toBe('first 2');
    expect(tokenIn(await tokens.getToken('coco_as_bound'))).toBe(bare);
    expect(issuerOf(await tokens.getToken('coco_as:second'))).toBe('second 2');
    expect(issuerOf(tokenIn(await tokens.getToken('kbs')))).toBe('broker 2');
    expect(issuerOf(tokenIn(await tokens.getToken('kbs:passport.example')))).toBe('second 2');
  });

  test.each([
    ['coco_as:other', 'TOKEN_SOURCE_NOT_CONFIGURED'],
    ['kbs:other', 'TOKEN_SOURCE_NOT_CONFIGURED'],
    ['other', 'TOKEN_TYPE_UNKNOWN'],
  ])('%s: %s', async (type, code) => {
    const { tokens } = await start(SOURCES);
    await expect(tokens.getToken(type)).rejects.toMatchObject({ code });
  });

  test('a resource server whose attestation service is not in the table is found at start', async () => {
    const wrong: TokenSource = { kind: 'passport', attestationService: 'third' };
    await expect(start({ '': wrong })).rejects.toMatchObject({ code: 'TOKEN_SOURCE_NOT_CONFIGURED' });
    const { tokens } = await start(SOURCES);
    expect(() => tokens.credentialsFor('other')).toThrow(
      expect.objectContaining({ code: 'TOKEN_SOURCE_NOT_CONFIGURED' }),
    );
  });
});

describe('how often', () => {
  test('50 callers of each type: one attestation an issuer', async () => {
    const { tokens, issuers } = await start(SOURCES);
    const types = ['coco_as', 'coco_as:second', 'coco_as_bound', 'kbs', 'kbs:passport.example'];
    await Promise.all(
      types.flatMap((type) => Array.from({ length: 50 }, async () => await tokens.getToken(type))),
    );
    expect(Object.values(issuers).map(({ seen }) => seen.length)).toEqual([2, 2, 2]);
  });

  test('a cached token serves without a network', async () => {
    const { tokens, issuers } = await start(SOURCES);
    const before = await tokens.getToken('kbs');
    await issuers.broker.close();
    open.splice(open.indexOf(issuers.broker), 1);
    expect(await tokens.getToken('kbs')).toBe(before);
  });

  test('a token that was refused is replaced once, whoever else reports it', async () => {
    const { tokens, issuers } = await start(SOURCES);
    const first = await parseBoundToken(await tokens.getToken('kbs'), { at: new Date(), skewSeconds: 60 });
    const type = `kbs;not=${fingerprintOf(first)}`;
    const answers = await Promise.all(Array.from({ length: 50 }, async () => await tokens.getToken(type)));
    expect(new Set(answers.map((text) => issuerOf(tokenIn(text))))).toEqual(new Set(['broker 4']));
    expect(issuers.broker.seen).toHaveLength(4);
  });

  test('credentials in this process: the session of the broker, or a bearer token, renewed on refusal', async () => {
    const { tokens } = await start(SOURCES);
    const obtain = tokens.credentialsFor('');
    const session = await obtain();
    expect(session.headers).toEqual({ cookie: 'kbs-session-id=broker1' });
    expect((await obtain(session)).headers).toEqual({ cookie: 'kbs-session-id=broker3' });
    // A late refusal of the first does not cost the second.
    expect((await obtain(session)).headers).toEqual({ cookie: 'kbs-session-id=broker3' });
    const bearer = await tokens.credentialsFor('passport.example')();
    expect(bearer.headers).toEqual({ authorization: `Bearer ${await tokens.getToken('coco_as:second')}` });
  });

  test('a refusal of evidence is not kept', async () => {
    const state: { down?: boolean } = { down: true };
    const server = await startIssuer('only', state);
    const tokens = createTokenService({
      guest: fakeGuest(),
      attestationServices: new Map([['default', { server: plainServer(server.url) }]]),
      resourceServers: new Map(),
      attempts: QUICK,
    });
    await expect(tokens.getToken('coco_as')).rejects.toMatchObject({ code: 'ATTESTATION_REFUSED' });
    state.down = false;
    expect(issuerOf(await tokens.getToken('coco_as'))).toBe('only 3');
  });
});

describe('a token in a file', () => {
  test('serves, is read anew when it was refused, and is looked at', async () => {
    const { tokens: others } = await start(SOURCES);
    const text = await others.getToken('coco_as_bound');
    let read = 0;
    const readText = async (): Promise<string> => {
      read++;
      return await Promise.resolve(text);
    };
    const { tokens } = await start({ '': { kind: 'file', readText } });
    expect(await tokens.getToken('kbs')).toBe(text);
    expect(await tokens.getToken('kbs')).toBe(text);
    expect(read).toBe(1);
    const obtain = tokens.credentialsFor('');
    await obtain(await obtain());
    expect(read).toBe(2);
  });

  test.each<[string, () => Promise<string>]>([
    ['TOKEN_FILE_UNREADABLE', async () => await Promise.reject(new Error('ENOENT'))],
    ['TOKEN_MALFORMED', async () => await Promise.resolve('{}')],
  ])('%s', async (code, readText) => {
    const { tokens } = await start({ '': { kind: 'file', readText } });
    await expect(tokens.getToken('kbs')).rejects.toMatchObject({ code });
  });
});

describe('the Data Hub’s side: tokens of an agent in another process', () => {
  test('one attestation for many resources; a refusal is passed on to our agent (C2)', async () => {
    const { tokens, issuers } = await start(SOURCES);
    const asked: string[] = [];
    const hub = createAgentTokens({
      askAgent: async (type) => {
        asked.push(type);
        return await tokens.getToken(type);
      },
      tokenType: 'coco_as_bound',
      saysWhatWasRefused: true,
      clock: systemClock,
      lifetime: LIFETIME,
    });
    const first = await hub();
    expect(await hub()).toBe(first);
    const second = await hub((token) => token === first);
    expect(second.token).not.toBe(first.token);
    expect(asked).toEqual(['coco_as_bound', `coco_as_bound;not=${fingerprintOf(first)}`]);
    expect(issuers.first.seen).toHaveLength(4);
  });

  test('upstream’s agent is asked in its own words', async () => {
    const { tokens } = await start(SOURCES);
    const asked: string[] = [];
    const hub = createAgentTokens({
      askAgent: async (type) => {
        asked.push(type);
        return await tokens.getToken(type);
      },
      tokenType: 'kbs',
      saysWhatWasRefused: false,
      clock: systemClock,
      lifetime: LIFETIME,
    });
    await hub();
    await hub(() => true);
    expect(asked).toEqual(['kbs', 'kbs']);
  });
});
